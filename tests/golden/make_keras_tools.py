"""Writes keras_tools.npz: what Keras computes for the cases of tools_cases.py.

Run with Keras 3.15 on TensorFlow: python tests/golden/make_keras_tools.py
"""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
from tools_cases import CASES, policy_facts

golden = {}
for name, function in CASES.items():
    results = function(keras)
    for i, result in enumerate(results if isinstance(results, (list, tuple)) else [results]):
        golden[f"{name}/{i}"] = np.asarray(result)
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_tools.npz"), **golden)
with open(os.path.join(os.path.dirname(__file__), "keras_tools.json"), "w") as file:
    json.dump({"policies": policy_facts(keras)}, file, indent=1, sort_keys=True)
    file.write("\n")
