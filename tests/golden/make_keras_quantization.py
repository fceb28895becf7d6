"""Writes keras_quantization.npz, what Keras computes for quantization_cases.py, and float8.keras.

Run with Keras 3.15 on JAX: python tests/golden/make_keras_quantization.py
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
from quantization_cases import CASES, SEQUENCES, TARGETS, transformer

FOLDER = Path(__file__).parent
golden = {}


def keep(name, results):
    for i, result in enumerate(results if isinstance(results, (list, tuple)) else [results]):
        golden[f"{name}/{i}"] = np.asarray(result)


for name, function in CASES.items():
    keep(name, function(keras))
keras.utils.set_random_seed(0)
model = transformer(keras)
for _ in range(3):
    model.train_on_batch(SEQUENCES, TARGETS)
model.save(FOLDER / "float8.keras")
before = model.predict(SEQUENCES, verbose=0)
model.train_on_batch(SEQUENCES, TARGETS)
keep("transformer", [before, model.predict(SEQUENCES, verbose=0)])
np.savez_compressed(FOLDER / "keras_quantization.npz", **golden)
