"""Networks of `keras.applications` beside Keras's: `python -m bench.applications [--peers PYTHON] [network/call ...]`.

`NETWORK/step`: milliseconds of `train_on_batch` with 16 images of 96x96 in 10 classes and Adam; `NETWORK/image`: of
`predict_on_batch` with one image of the network's own size. Keras on TensorFlow is compiled by XLA or not, whichever is
faster.
"""

import os
from collections.abc import Callable

import numpy as np

from .keras_calls import Rows, main
from .players import fastest

NETWORKS = ("MobileNetV2", "EfficientNetB0", "ResNet50", "DenseNet121", "Xception", "ConvNeXtTiny")


def images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(size).uniform(0, 255, (count, size, size, 3)).astype("float32")


def step_of(network: str) -> Callable:
    """keras -> a step of training."""

    def prepare(keras):
        x, y = images(16, 96), np.arange(16) % 10

        def step(**settings):
            model = getattr(keras.applications, network)(weights=None, classes=10, input_shape=(96, 96, 3))
            model.compile("adam", "sparse_categorical_crossentropy", **settings)
            return lambda: model.train_on_batch(x, y)

        on_tensorflow = keras.__name__ == "keras" and os.environ.get("KERAS_BACKEND") == "tensorflow"
        return fastest([step(jit_compile=True), step(jit_compile=False)]) if on_tensorflow else step()

    return prepare


def image_of(network: str) -> Callable:
    """keras -> a prediction of one image."""

    def prepare(keras):
        model = getattr(keras.applications, network)(weights=None)
        x = images(1, model.input_shape[1])
        return lambda: model.predict_on_batch(x)

    return prepare


ROWS: Rows = {f"{network}/step": step_of(network) for network in NETWORKS}
ROWS |= {f"{network}/image": image_of(network) for network in NETWORKS}


if __name__ == "__main__":
    main("bench.applications", __doc__, "Networks of keras.applications, ms", ROWS)
