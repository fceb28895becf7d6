"""Writes keras_training.npz: what Keras computes for the cases of training_cases.py.

Run with Keras 3.15 on TensorFlow: python tests/golden/make_keras_training.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import training_cases as cases

golden = {}


def store(name, value):
    golden[name] = np.asarray(value)


for name, (make, y_true, y_pred) in cases.LOSSES.items():
    for reduction in cases.REDUCTIONS:
        store(f"loss/{name}/{reduction}", make(keras, reduction=reduction)(y_true, y_pred))
        if name not in cases.WHOLE_BATCH_LOSSES:
            weighted = make(keras, reduction=reduction)(y_true, y_pred, sample_weight=cases.WEIGHTS)
            store(f"loss/{name}/{reduction}/weighted", weighted)
    x = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = make(keras)(y_true, x)
    store(f"loss/{name}/gradient", tape.gradient(loss, x))

for name, (make, y_true, y_pred) in cases.METRICS.items():
    metric = make(keras.metrics)
    metric.update_state(y_true[:4], y_pred[:4])
    metric.update_state(y_true[4:], y_pred[4:])
    store(f"metric/{name}", metric.result())
    metric.reset_state()
    metric.update_state(y_true, y_pred, sample_weight=cases.WEIGHTS)
    store(f"metric/{name}/weighted", metric.result())

for name, make in cases.SCHEDULES.items():
    store(f"schedule/{name}", [float(make(keras.optimizers.schedules)(step)) for step in cases.STEPS])

np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_training.npz"), **golden)
