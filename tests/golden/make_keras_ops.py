"""Writes keras_ops.npz: what Keras computes for the cases of ops_cases.py, with gradients.

Run with Keras 3.15 on JAX: python tests/golden/make_keras_ops.py [NAME...]; with names only these are made anew.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np
from keras import ops
from ops_cases import CASES, NO_GRADIENT


def run(function, *inputs):
    outputs = function(ops, *inputs)
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


PATH = os.path.join(os.path.dirname(__file__), "keras_ops.npz")
names = sys.argv[1:] or list(CASES)
golden = {}
if sys.argv[1:]:
    with np.load(PATH) as file:
        golden = {key: file[key] for key in file if key.split("/")[0] in CASES and key.split("/")[0] not in names}
for name in names:
    function, *inputs = CASES[name]
    outputs = run(function, *[jax.numpy.asarray(x) for x in inputs])
    for i, y in enumerate(outputs):
        golden[f"{name}/y{i}"] = np.asarray(y)
    floats = [i for i, x in enumerate(inputs) if x.dtype == "float32"]
    if name in NO_GRADIENT or not floats:
        continue

    def loss(*values, function=function, inputs=inputs, floats=floats):
        given = list(inputs)
        for i, value in zip(floats, values):
            given[i] = value
        # Weights that differ by element, so that no error cancels.
        return sum((y * jax.numpy.cos(jax.numpy.arange(y.size).reshape(y.shape))).sum() for y in run(function, *given))

    gradients = jax.grad(loss, argnums=tuple(range(len(floats))))(*[jax.numpy.asarray(inputs[i]) for i in floats])
    for i, gradient in zip(floats, gradients):
        golden[f"{name}/d{i}"] = np.asarray(gradient)
np.savez_compressed(PATH, **golden)
