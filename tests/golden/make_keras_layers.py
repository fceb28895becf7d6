"""Writes keras_layers.npz: what Keras computes for the cases of layer_cases.py, with gradients.

Run with Keras 3.15 on TensorFlow: python tests/golden/make_keras_layers.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from layer_cases import CALLS, CASES, inputs_of, random, weights_of


def run(name, make, shapes, arguments, spread):
    layer = make(keras.layers)
    arrays = [tf.constant(array) for array in inputs_of(name, shapes)]
    call = (lambda: layer(*arrays, **arguments)) if spread else (
        lambda: layer(arrays if len(arrays) > 1 else arrays[0], **arguments)
    )  # fmt: skip
    call()  # builds
    layer.set_weights(weights_of(name, [w.shape for w in layer.get_weights()]))
    floats = [array for array in arrays if array.dtype.is_floating]
    sources = floats + [w.value for w in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = call()
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        target = sum(tf.reduce_sum(y * random(f"{name} output {i}", y.shape)) for i, y in enumerate(outputs))
    gradients = tape.gradient(target, sources)
    results = {f"{name}/y{i}": y.numpy() for i, y in enumerate(outputs)}
    for i, (gradient, source) in enumerate(zip(gradients, sources)):
        dense = tf.zeros_like(source) if gradient is None else tf.convert_to_tensor(gradient)
        results[f"{name}/d{i}"] = dense.numpy()
    for i, weight in enumerate(layer.non_trainable_weights):
        results[f"{name}/state{i}"] = np.asarray(weight)
    return results


golden = {}
for name, (make, shapes, arguments) in CASES.items():
    golden |= run(name, make, shapes, arguments, spread=False)
for name, (make, shapes, arguments) in CALLS.items():
    golden |= run(name, make, shapes, arguments, spread=True)
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_layers.npz"), **golden)
