"""Writes keras_optimizers.npz: the weights after each step of Keras's optimizers, for the cases of training_cases.py.

Run with Keras 3.15: python tests/golden/make_keras_optimizers.py
(On NumPy: on TensorFlow a variable's value changes with it, and ScheduleFreeAdamW of Keras 3.15 averages wrongly.)
"""

import os

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
import training_cases as cases

golden = {}
for name, make in cases.OPTIMIZERS.items():
    optimizer = make(keras.optimizers)
    variables = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(cases.START)]
    history = []
    for gradients in cases.GRADIENTS:
        optimizer.apply_gradients(list(zip(gradients, variables)))
        history.append([np.asarray(variable.value) for variable in variables])
    for i, values in enumerate(zip(*history)):
        golden[f"{name}/{i}"] = np.stack(values)  # [step, ...]
    for i, variable in enumerate(optimizer.variables):
        golden[f"{name}/state/{i}"] = np.asarray(variable.value)
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_optimizers.npz"), **golden)
