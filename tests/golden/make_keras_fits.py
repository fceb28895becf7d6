"""Writes keras_fits.npz: losses and weights of the models of fit_cases.py that Keras trains.

Run with Keras 3.15 on JAX: python tests/golden/make_keras_fits.py
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import fit_cases
import jax
import keras
import numpy as np

golden = {}
for i, name in enumerate(fit_cases.ALL):
    golden |= {f"{name}/{k}": value for k, value in enumerate(fit_cases.train(keras, name))}
    if i % 50 == 49:
        jax.clear_caches()
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_fits.npz"), **golden)
