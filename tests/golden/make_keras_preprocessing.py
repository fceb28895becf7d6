"""Writes keras_preprocessing.npz: what Keras computes for preprocessing_cases.py, with vocabularies and boundaries.

Run with Keras 3.15 on TensorFlow: python tests/golden/make_keras_preprocessing.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
from preprocessing_cases import CASES, CROSSINGS


def as_array(y):
    y = np.asarray(y)
    return y if y.dtype != object else np.array([t.decode() for t in y.ravel()]).reshape(y.shape)


golden = {}
for name, (make, data, inputs) in CASES.items():
    layer = make(keras.layers)
    if data is not None:
        layer.adapt(data)
    golden[f"{name}/y"] = as_array(layer(inputs))
    if hasattr(layer, "get_vocabulary"):
        golden[f"{name}/vocabulary"] = np.array([token for token in layer.get_vocabulary() if token is not None])
    if hasattr(layer, "bin_boundaries"):
        golden[f"{name}/boundaries"] = np.array(layer.bin_boundaries)
for name, (make, inputs) in CROSSINGS.items():
    golden[f"{name}/y"] = as_array(make(keras.layers)(inputs))
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_preprocessing.npz"), **golden)
