"""How dlcore's training steps grow with the work, and with threads: `python -m bench.growth [series ...]`.

Each series grows in one direction. The table shows milliseconds of a step on one thread and on all, and the time on all
threads per unit of work, relative to the smallest size: it should fall or stay, unless the data leave a cache. One
process per number of threads; they measure in turn, and the table shows medians.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import report
from .players import THREADS, medians, serve, start_players


class Series(NamedTuple):
    unit: str
    sizes: tuple[int, ...]
    work: Callable[[int], float]  # units in a step of a model of that size


SERIES = {
    "mlp_batch": Series("row", (32, 128, 512, 2048, 8192), lambda n: n),
    "mlp_width": Series("weight", (64, 128, 256, 512, 1024, 2048), lambda n: n * n),
    "mlp_depth": Series("layer", (1, 2, 4, 8, 16, 32, 64), lambda n: n),
    "lstm_steps": Series("step", (8, 32, 128, 512), lambda n: n),
    "loop_steps": Series("step", (8, 32, 128, 512), lambda n: n),
    "conv_side": Series("pixel", (8, 16, 32, 64, 128), lambda n: n * n),
    "attention_length": Series("score", (64, 128, 256, 512, 1024, 2048), lambda n: n * n),
}


def loop_over_steps(keras, units: int):
    """A recurrent layer as one writes it by hand: x[:, step] in a Python loop."""

    class Loop(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.from_input, self.from_state = keras.layers.Dense(units), keras.layers.Dense(units, use_bias=False)

        def call(self, x):
            state = keras.ops.tanh(self.from_input(x[:, 0]))
            for step in range(1, x.shape[1]):
                state = keras.ops.tanh(self.from_input(x[:, step]) + self.from_state(state))
            return state

    return Loop()


def model_of(keras, kind: str, size: int):
    """A model, and the shape of a batch."""
    layers = keras.layers
    match kind:
        case "mlp_batch":
            return [layers.Dense(256, activation="relu"), layers.Dense(256, activation="relu")], (size, 256)
        case "mlp_width":
            return [layers.Dense(size, activation="relu"), layers.Dense(size, activation="relu")], (128, size)
        case "mlp_depth":
            return [layers.Dense(128, activation="relu") for _ in range(size)], (128, 128)
        case "lstm_steps":
            return [layers.LSTM(128)], (32, size, 64)
        case "loop_steps":
            return [layers.Dense(64), loop_over_steps(keras, 64)], (32, size, 64)
        case "conv_side":
            convs = [layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(2)]
            return [*convs, layers.GlobalAveragePooling2D()], (8, size, size, 16)
    inputs = keras.Input((size, 128))
    outputs = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(4, 32)(inputs, inputs))
    return [keras.Model(inputs, outputs)], (4, size, 128)


class Dlcore:
    def __init__(self):
        import dlcore

        self.keras, self.version = dlcore, dlcore.__version__

    def step_ms(self, kind: str, size: int) -> float:
        """Of an epoch that takes about a fifth of a second, after one that warms up."""
        chain, (batch, *shape) = model_of(self.keras, kind, size)
        model = self.keras.Sequential([self.keras.Input(tuple(shape)), *chain, self.keras.layers.Dense(1)])
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)

        def epoch(steps: int) -> float:
            x = rng.standard_normal((batch, *shape), dtype="float32")
            x = np.broadcast_to(x, (steps, *x.shape)).reshape(-1, *shape)
            y = np.zeros((len(x), 1), "float32")
            start = time.perf_counter()
            model.fit(x, y, batch_size=batch, verbose=0, shuffle=False)
            return (time.perf_counter() - start) / steps

        epoch(1)
        steps = max(2, min(100, math.ceil(0.2 / epoch(2))))
        return 1e3 * epoch(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "series", nargs="*", metavar="series", default=list(SERIES), help=f"default: {', '.join(SERIES)}"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    players = []
    for threads in (1, THREADS):
        (player,) = start_players(["dlcore"], "bench.growth", sys.executable, {"OMP_NUM_THREADS": str(threads)})
        players.append(player)
    print(f"{report.machine(players[1:])}; medians of {arguments.rounds} rounds\n")
    for player, threads in zip(players, (1, THREADS)):
        player.name = str(threads)
    for kind in arguments.series:
        series, first = SERIES[kind], None
        columns = [f"{kind}, ms a step", "1 thread", f"{THREADS} threads", "speed-up", f"time per {series.unit}"]
        table = report.Table(kind, columns, arguments.markdown)
        for size in series.sizes:
            times = medians(players, arguments.rounds, "step_ms", kind, size)
            one, many = times["1"], times[str(THREADS)]
            per_unit = many / series.work(size)
            first = first or per_unit
            table.row(str(size), *map(report.figure, (one, many, one / many, per_unit / first)))
        table.end()
    for player in players:
        player.stop()


if __name__ == "__main__":
    if sys.argv[1:] == ["dlcore"]:
        serve(Dlcore)
    else:
        main()
