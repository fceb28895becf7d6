"""Programs of examples/, in full on the real data sets: `python -m bench.programs [program ...]`.

For each the share of right answers on the test data (of `lstm_regression` the loss) from random seed 1, what is asked
of it, and the seconds it takes. `DLCORE_DATASETS` names the folder of the data sets.
"""

import argparse
import contextlib
import importlib
import io
import os
import sys
import time

import dlcore as keras

# program in examples/, arguments of its main, what is asked of the result
PROGRAMS = {
    "mnist_mlp": ({}, 0.97),
    "mnist_mlp_sgd": ({}, 0.93),
    "mnist_cnn": ({}, 0.985),
    "mnist_cnn3": ({}, 0.985),
    "mnist_save": ({}, None),  # it checks that the loaded model is as good as the saved one
    "cifar10_cnn": ({}, 0.50),
    "lstm_regression": ({}, None),
    "imdb_lstm": ({}, 0.80),
    "speech_cnn": ({"name": "speech_commands"}, 0.60),
    "speech_cnn on spoken digits": ({"name": "spoken_digits"}, 0.90),
    "xor": ({}, 1.0),
    "text_bilstm": ({}, None),
    "q_network": ({}, 1.0),
    "mnist_custom_loop": ({}, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="*", help=f"default: all of {', '.join(PROGRAMS)}")
    names = parser.parse_args().program
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        parser.error(f"unknown programs: {', '.join(unknown)}. There are {', '.join(PROGRAMS)}.")
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "examples"))
    print("| program | reached | asked | seconds |\n|---|---|---|---|")
    for name in names or PROGRAMS:
        arguments, asked = PROGRAMS[name]
        program = importlib.import_module(name.split()[0]).main
        keras.utils.set_random_seed(1)
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            reached = program(**arguments)
        seconds = time.perf_counter() - start
        print(f"| {name} | {reached:.4f} | {asked or '-'} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
