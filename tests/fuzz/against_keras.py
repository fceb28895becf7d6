"""Random calls run by dlcore and by Keras, and where they differ.

    python tests/fuzz/against_keras.py layer function --seed 7 --count 300 --keras PYTHON

PYTHON is the interpreter that has Keras (3.15) and its backends. A case counts as a difference where dlcore agrees with
Keras on none of the backends; an error on both sides agrees. Models of layers are also saved by each library and loaded
by the other. The status is 1 where anything differs.
"""

import argparse
import importlib
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import warnings

import random_functions
import random_layers
import random_training
from cases import Pick, difference, load_layer, run

MAKERS = {
    "function": random_functions.function,
    "gradient": random_functions.gradient,
    "layer": random_layers.layer,
    "loss": random_training.loss,
    "metric": random_training.metric,
    "optimizer": random_training.optimizer,
}
BACKENDS = ("tensorflow", "jax", "torch")


def cases(kinds: list[str], seed: int, count: int):
    for kind in kinds:
        for i in range(count):
            yield f"{kind}-{i}", MAKERS[kind](Pick(f"{seed}/{kind}/{i}"))


def take_part(side: str, arguments: argparse.Namespace, folder: pathlib.Path) -> None:
    """Runs every case with one library and keeps the results; then loads the models of the others."""
    warnings.filterwarnings("ignore")
    library = importlib.import_module("dlcore" if side == "dlcore" else "keras")
    (folder / side).mkdir(exist_ok=True)
    loading, results = arguments.loading, {}
    for name, case in cases(arguments.kinds, arguments.seed, arguments.count):
        (folder / side / "last").write_text(f"{name} {case}")
        if not loading:
            results[name] = run(library, case, str(folder / side / f"{name}.keras") if case.kind == "layer" else "")
        elif (file := folder / loading / f"{name}.keras").exists():
            try:
                results[name] = load_layer(library, case, str(file))
            except Exception as error:
                results[name] = f"{type(error).__name__}: {error}"
    with open(folder / side / f"results{loading}", "wb") as file:
        pickle.dump(results, file)


def results_of(side: str, arguments: argparse.Namespace, folder: pathlib.Path, loading: str = "") -> dict:
    """A side's results; it runs in a process of its own."""
    ran = subprocess.run(
        [sys.executable if side == "dlcore" else arguments.keras, __file__, *arguments.kinds, "--side", side]
        + ["--seed", str(arguments.seed), "--count", str(arguments.count), "--folder", folder, "--loading", loading],
        env={**os.environ, "KERAS_BACKEND": side, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if ran.returncode:
        last = folder / side / "last"
        at = last.read_text() if last.exists() else "the start"
        raise SystemExit(f"{side} ended with status {ran.returncode} at {at}:\n{ran.stderr[-2000:]}")
    with open(folder / side / f"results{loading}", "rb") as file:
        return pickle.load(file)


def disagreement(ours: dict, theirs: list[dict]) -> str:
    """Why a case's results agree with those of no backend."""
    if "raises" in ours and any("raises" in results for results in theirs):
        return ""
    texts = []
    for results in theirs:
        if "raises" in ours or "raises" in results:
            texts.append(f"dlcore: {ours.get('raises', 'a result')}; Keras: {results.get('raises', 'a result')}")
        else:
            texts.append(difference(ours, results))
    # The first backend speaks for all.
    return texts[0] if all(texts) else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*MAKERS, []], default=list(MAKERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200, help="cases of each kind")
    parser.add_argument("--keras", default=sys.executable, help="the Python that has Keras")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--loading", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        take_part(arguments.side, arguments, arguments.folder)
        return 0
    different = both_raise = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours = results_of("dlcore", arguments, folder)
        theirs = [results_of(backend, arguments, folder) for backend in arguments.backends]
        ours_of_theirs = results_of("dlcore", arguments, folder, arguments.backends[0])
        theirs_of_ours = results_of(arguments.backends[0], arguments, folder, "dlcore")
        for key, case in cases(arguments.kinds, arguments.seed, arguments.count):
            found = {"": disagreement(ours[key], [results[key] for results in theirs])}
            both_raise += "raises" in ours[key] and not found[""]
            for text, written, read in (
                ("Keras's file: ", theirs[0], ours_of_theirs),
                ("dlcore's file, in Keras: ", ours, theirs_of_ours),
            ):
                if key in read and "raises" not in written[key]:
                    found[text] = difference(written[key]["outputs"], read[key])
            for text, why in found.items():
                if why:
                    different += 1
                    print(f"{key} {case}\n    {text}{why}")
    total = len(arguments.kinds) * arguments.count
    print(f"{total} cases of seed {arguments.seed}: {different} differences, {both_raise} errors on both sides")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
