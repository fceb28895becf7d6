"""What all tables share: the command line, the line about the machine, the tables themselves."""

import argparse
import datetime
import math
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable

from .players import THREADS, Player

RATIO = "best peer / dlcore"


def command_line(
    description: str, rows: Iterable[str], names: Iterable[str], more: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """Which rows, which contestants, how many rounds, and how the tables look; `more` are rows that must be named."""
    parser = argparse.ArgumentParser(description=description)
    rows, known = list(rows), f"default: all of {', '.join(rows)}" + (f"; others: {', '.join(more)}" if more else "")
    parser.add_argument("rows", nargs="*", metavar="row", default=rows, help=known)
    parser.add_argument("--peers", default=sys.executable, help="Python interpreter with the peers (default: this one)")
    parser.add_argument("--only", nargs="*", choices=names, default=list(names), help="contestants")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    return parser


def machine(players: Iterable[Player]) -> str:
    """One line: processor, instruction set of dlcore's kernels, threads, date, versions."""
    from dlcore import _core

    versions = ", ".join(f"{player.name} {player.version}" for player in players)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    parts = [
        f"{_core.cpu_name()} ({platform.machine()}, dlcore's kernels: {_core.isa()})",
        f"{THREADS} threads",
        datetime.date.today().isoformat(),
        f"commit {commit or 'unknown'}",
        f"Python {platform.python_version()}",
        versions,
    ]
    return "; ".join(parts)


def figure(x: float | None, digits: int = 3) -> str:
    """A number with so many significant digits; a dash where there is none."""
    if x is None or math.isnan(x):
        return "-"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x)))) if x else 0
    return f"{x:,.{decimals}f}"


def ratio(values: dict[str, float], ours: str = "dlcore") -> float | None:
    """How many times dlcore's time the best peer takes."""
    peers = [value for name, value in values.items() if not name.startswith("dlcore")]
    return min(peers) / values[ours] if peers and ours in values else None


class Table:
    """Prints rows as they become known.

    Args:
        title: what the figures are, and their unit.
        columns: the head of each column; the first is that of the labels.
    """

    def __init__(self, title: str, columns: list[str], markdown: bool = False):
        self.markdown = markdown
        self.widths = [26, *(max(9, len(column)) for column in columns[1:])]
        print(f"{'### ' if markdown else ''}{title}\n")
        self.row(*columns)
        if markdown:
            print("|---" * len(columns) + "|", flush=True)

    def row(self, *cells: str) -> None:
        if self.markdown:
            print("| " + " | ".join(cells) + " |", flush=True)
        else:
            first, *others = (f"{cell:>{width}}" for cell, width in zip(cells, self.widths))
            print("  ".join([f"{first.strip():<{self.widths[0]}}", *others]), flush=True)

    def end(self, *notes: str) -> None:
        """Closes the table, with lines below it."""
        print("\n" + "\n".join(notes) + ("\n" if notes else ""), flush=True)


class Comparison(Table):
    """A table with a column per contestant and their ratio in the last.

    Args:
        players: in the order of the columns; the times of "dlcore" are those that the ratio is about.
        extra: the heads of columns before the ratio.
    """

    def __init__(self, title: str, players: list[Player], markdown: bool = False, extra: tuple[str, ...] = ()):
        self.names = [player.name for player in players]
        self.ratios: list[float] = []
        super().__init__(title, ["", *self.names, *extra, RATIO], markdown)

    def compare(self, label: str, values: dict[str, float], *extra: str) -> None:
        known = ratio(values)
        if known is not None:
            self.ratios.append(known)
        self.row(label, *(figure(values.get(name)) for name in self.names), *extra, figure(known))

    def end(self, *notes: str) -> None:
        if self.ratios:
            mean = statistics.geometric_mean(self.ratios)
            summary = f"Geometric mean of the ratios {figure(mean)}, least {figure(min(self.ratios))}."
            notes = (summary, *notes)
        super().end(*notes)
