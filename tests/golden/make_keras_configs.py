"""Writes keras_configs.json: Keras's get_config() of the layers of layer_cases.py, without their names.

Run with Keras 3.15: python tests/golden/make_keras_configs.py
"""

import json
import os

import keras
from layer_cases import CALLS, CASES, CONFIGURED

configs = {}
for name, (make, *_) in (CASES | CALLS | CONFIGURED).items():
    config = make(keras.layers).get_config()
    configs[name] = json.loads(json.dumps(config))
    configs[name].pop("name")
with open(os.path.join(os.path.dirname(__file__), "keras_configs.json"), "w") as file:
    json.dump(configs, file, separators=(",", ":"), sort_keys=True)
    file.write("\n")
