"""Writes keras_functions.npz: what Keras computes for the cases of function_cases.py, with gradients of the last input.

Run with Keras 3.15 on JAX: python tests/golden/make_keras_functions.py
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from function_cases import CASES, NO_GRADIENT

golden = {}
for name, (function, *inputs) in CASES.items():
    inputs = [jax.numpy.asarray(x) for x in inputs]
    y = function(keras, *inputs)
    golden[f"{name}:y"] = np.asarray(y)
    if name not in NO_GRADIENT:
        weights = np.cos(np.arange(y.size)).reshape(y.shape)  # so that no error cancels

        def loss(x, function=function, inputs=inputs, weights=weights):
            return (function(keras, *inputs[:-1], x) * weights).sum()

        golden[f"{name}:d"] = np.asarray(jax.grad(loss)(inputs[-1]))
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_functions.npz"), **golden)
