"""Calls written once for Keras and dlcore, measured side by side.

In each round the contestants, a process each, measure in turn; the table shows medians.
"""

import importlib
import os
import sys
from collections.abc import Callable

from . import report
from .players import medians, seconds_per_call, serve, start_players

NAMES = ("dlcore", "keras-tf", "keras-jax", "keras-torch")
# keras (the module) -> the call that is measured
Rows = dict[str, Callable]


class Contestant:
    """Keras on one of its backends, or dlcore: the same code but for the import."""

    def __init__(self, name: str, rows: Rows):
        backend = {"tf": "tensorflow"}.get(name.removeprefix("keras-"), name.removeprefix("keras-"))
        if name != "dlcore":
            os.environ["KERAS_BACKEND"] = backend
        self.keras = importlib.import_module("dlcore" if name == "dlcore" else "keras")
        self.version, self.rows, self.running = self.keras.__version__, rows, None
        if name != "dlcore":
            self.version += f" on {backend} {importlib.import_module(backend).__version__}"

    def ms(self, row: str) -> float:
        """Milliseconds of a row's call."""
        if self.running is None or self.running[0] != row:
            self.running = row, self.rows[row](self.keras)
        return 1e3 * seconds_per_call(self.running[1])


def main(module: str, about: str, title: str, rows: Rows) -> None:
    """The program of a module of rows: serves as a contestant, or starts them and prints the table."""
    if sys.argv[1:] and sys.argv[1] in NAMES:
        return serve(lambda: Contestant(sys.argv[1], rows))
    arguments = report.command_line(about.splitlines()[0], list(rows), NAMES).parse_args()
    players = start_players(arguments.only, module, arguments.peers)
    print(f"{report.machine(players)}; medians of {arguments.rounds} rounds\n")
    table = report.Comparison(title, players, arguments.markdown)
    for row in arguments.rows:
        table.compare(row, medians(players, arguments.rounds, "ms", row))
    table.end()
    for player in players:
        player.stop()
