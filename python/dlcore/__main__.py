"""`python -m dlcore demo` and `python -m dlcore info`."""

import argparse
import os
import sys
import tempfile
import time


def info() -> None:
    """Prints what this installation runs on."""
    import numpy

    import dlcore
    from dlcore import _core

    print(f"dlcore       {dlcore.__version__}")
    print(f"Python       {sys.version.split()[0]}, NumPy {numpy.__version__}")
    print(f"processor    {_core.cpu_name()}")
    print(f"kernels      {_core.isa()} (DLCORE_MAX_ISA caps them: baseline, avx2, avx512, amx)")
    print(f"threads      {_core.num_threads()}")
    print(f"primitives   {len(_core.primitive_names())}")
    gpus = _core.devices()[1:]
    for name, description in gpus:
        missing = _core.missing_kernels(name)
        print(f"{name:<12} {description}")
        print(f"             without kernels: {', '.join(missing) or 'none'}")
    if not gpus:
        print(f"GPU          none. {_core.no_device_reason()}")
    print(f"computes on  {_core.current_device()} (DLCORE_DEVICE chooses: cpu, cuda)")


def _digits_model(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.25),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def demo(folder: str = ".", epochs: int = 12) -> float:
    """Trains a CNN on the digits in the package; writes pictures and the model. Returns the test accuracy."""
    import numpy as np

    import dlcore as keras
    from dlcore import plotting

    keras.utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    model = _digits_model(keras)
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - start
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"\nTest accuracy {accuracy:.2%} after {epochs} epochs in {seconds:.1f} s.")

    curves, grid = os.path.join(folder, "digits_history.png"), os.path.join(folder, "digits_predictions.png")
    probabilities = model.predict(x_test, verbose=0)
    plotting.plot_history(history, path=curves)
    plotting.plot_predictions(x_test[:40], probabilities[:40], y_test[:40], path=grid)
    print(f"Learning curves: {curves}    predictions: {grid}")

    path = os.path.join(folder, "digits.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    if not np.array_equal(loaded.predict(x_test, verbose=0), probabilities):
        raise RuntimeError(f"{path}: the loaded model predicts something else than the one that was saved.")
    print(f"Saved to {path}, loaded back: the same predictions.")
    return accuracy


def _count(text):
    """A number of epochs from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an int > 0, got {text!r}")
    return int(text)


def _is_writable(folder):
    """Whether files can be written into a folder, which is made where there is none."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def main() -> None:
    """The command line."""
    from dlcore import __version__

    parser = argparse.ArgumentParser(prog="dlcore", description="Deep learning in one small wheel.")
    parser.add_argument("--version", action="version", version=f"dlcore {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="version, processor, instruction set in use, threads")
    run = commands.add_parser("demo", help="train a CNN on handwritten digits; writes two pictures and a model")
    run.add_argument("--folder", default=".", help="where the files go; made if it is not there (default: this folder)")
    run.add_argument("--epochs", type=_count, default=12, help="how often it sees all digits (default: 12)")
    arguments = parser.parse_args()
    if arguments.command == "info":
        return info()
    if not _is_writable(arguments.folder):
        folder = tempfile.mkdtemp(prefix="dlcore-demo-")
        print(f"{arguments.folder} can't be written; the files go to {folder}.")
        arguments.folder = folder
    demo(arguments.folder, arguments.epochs)


if __name__ == "__main__":
    main()
