"""Memory: `python -m bench.memory flat` and `python -m bench.memory peak [dlcore | keras]`.

flat: the process's growth over a million predictions and over a thousand models built, trained and dropped.
peak: the most memory one epoch of examples/mnist_cnn.py takes, with dlcore or with Keras (KERAS_BACKEND chooses its
backend) in this interpreter. Linux only: it reads /proc.
"""

import gc
import importlib
import os
import resource
import sys
import time

import numpy as np


def resident_mb() -> float:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def small_model(keras):
    layers = keras.layers
    return keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(3)])


def growth(label: str, call, warm_up: int, calls: int) -> None:
    for _ in range(warm_up):
        call()
    before, start = resident_mb(), time.perf_counter()
    for _ in range(calls):
        call()
    seconds = time.perf_counter() - start
    print(f"{calls:>9,} {label}: {resident_mb() - before:+.2f} MB, {1e6 * seconds / calls:.1f} us each", flush=True)


def flat() -> None:
    import dlcore as keras

    model, x, y = small_model(keras), np.ones((32, 8), "float32"), np.ones((32, 3), "float32")

    def build_fit_delete():
        fresh = small_model(keras)
        fresh.compile("adam", "mse")
        fresh.fit(x, y, verbose=0)

    growth("predictions", lambda: model.predict(x[:1], verbose=0), 20_000, 1_000_000)
    growth("models built, trained and dropped", build_fit_delete, 200, 1_000)


def peak(library: str) -> None:
    keras = importlib.import_module(library)
    if library != "dlcore":
        path = os.path.join(os.environ["DLCORE_DATASETS"], "mnist.npz")
        with np.load(path) as f:
            parts = (f["x_train"], f["y_train"]), (f["x_test"], f["y_test"])
        keras.datasets.mnist.load_data = lambda: parts
        sys.modules["dlcore"] = keras  # the example imports dlcore
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "examples"))
    importlib.import_module("mnist_cnn").main(epochs=1)
    print(f"{library}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at its peak")


if __name__ == "__main__":
    if sys.argv[1:2] == ["flat"]:
        flat()
    elif sys.argv[1:2] == ["peak"]:
        peak(sys.argv[2] if len(sys.argv) > 2 else "dlcore")
    else:
        sys.exit(__doc__)
