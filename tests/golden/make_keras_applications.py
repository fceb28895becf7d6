"""Writes keras_applications.json: Keras's architectures in short, and outputs of small instances.

Run with Keras 3.15: python tests/golden/make_keras_applications.py [NAME...]; with names only these are made anew.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from application_cases import ARCHITECTURES, NUMERIC, VARIANTS, fill, images, lines, summary
from keras import applications
from keras.src.utils import file_utils

PATH = os.path.join(os.path.dirname(__file__), "keras_applications.json")


published = []
file_utils.get_file = lambda name, origin, file_hash=None, **kwargs: published.append([origin, file_hash])
keras.Model.load_weights = lambda model, path: None
# The first weights do not matter, and zeros take no time.
keras.initializers.VarianceScaling.__call__ = lambda self, shape, dtype=None: np.zeros(shape, dtype or "float32")


def imagenet(name, include_top):
    """The model for the published weights, which are not loaded."""
    keras.backend.clear_session()
    return getattr(applications, name)(include_top=include_top)


def make(name):
    return {
        "top": summary(imagenet(name, True)),
        "features": summary(imagenet(name, False)),
        "published": published[-2:],
    }


def outputs(name):
    keras.backend.clear_session()
    arguments = NUMERIC[name]
    model = getattr(applications, name)(weights=None, classes=7, classifier_activation=None, **arguments)
    fill(model)
    return [[float(f"{y:.7g}") for y in row] for row in model.predict(images(arguments["input_shape"]), verbose=0)]


def main(names):
    golden = {}
    if names and os.path.exists(PATH):
        with open(PATH) as file:
            golden = json.load(file)
    for name in names or [*ARCHITECTURES, *VARIANTS]:
        if name in VARIANTS:
            function, arguments = VARIANTS[name]
            keras.backend.clear_session()
            golden[name] = summary(getattr(applications, function)(weights=None, **arguments))
        else:
            golden[name] = make(name)
        if name in NUMERIC:
            golden[name]["outputs"] = outputs(name)
        with open(PATH, "w") as file:
            json.dump(golden, file, separators=(",", ":"), sort_keys=True)
            file.write("\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["lines"]:  # to compare by eye
        print("\n".join(lines(imagenet(sys.argv[2], include_top=sys.argv[3] == "True"))))
    else:
        main(sys.argv[1:])
