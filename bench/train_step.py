"""Training steps of dlcore and its peers, side by side: `python -m bench.train_step [--peers PYTHON] [workload ...]`.

Every contestant is a process of its own. In each round each one measures in turn, while the others wait; the tables
show the median over the rounds and the ratio best peer / dlcore. There are three tables: milliseconds of a step in a
long run, milliseconds of a new model's first step, and megabytes at the peak of a process that trains one epoch.
--peers names the Python interpreter of the environment that has torch, keras, tensorflow and jax.
"""

import sys

from . import report
from .contestants import NAMES
from .players import Player, medians, start_players
from .workloads import ACCELERATED, LARGER, NINE, ON_REAL_DATA

MODULE = "bench.contestants"


def parameters(players: list[Player], name: str) -> str:
    """The number of a workload's trainable parameters, which is the same everywhere, or a warning is printed."""
    counts = {player.name: player.ask("parameters", name) for player in players}
    known = set(counts.values()) - {None}
    if len(known) > 1:
        print(f"warning: {name} is not the same model everywhere, parameters: {counts}", file=sys.stderr)
    return f"{max(known, default=0):,}"


def times(title: str, method: str, players: list[Player], arguments) -> None:
    table = report.Comparison(title, players, arguments.markdown, ("parameters",))
    for name in arguments.rows:
        count = parameters(players, name)
        table.compare(name, medians(players, arguments.rounds, method, name), count)
    table.end()


def peaks(title: str, players: list[Player], arguments) -> None:
    """A process for each figure: what a library has once taken, it often keeps."""
    table = report.Comparison(title, players, arguments.markdown)
    for name in (None, *arguments.rows):
        megabytes = {}
        for player in players:
            (fresh,) = start_players([player.name], MODULE, arguments.peers)
            megabytes[player.name] = fresh.ask("peak_mb", name)
            fresh.stop()
        table.compare(name or "library imported", {k: mb for k, mb in megabytes.items() if mb is not None})
    table.end()


def main() -> None:
    rows, more = ([w.name for w in group] for group in (NINE + LARGER, ON_REAL_DATA + ACCELERATED))
    parser = report.command_line(__doc__.splitlines()[0], rows, NAMES, more)
    parser.add_argument("--tables", nargs="+", choices=("step", "first", "memory"), default=("step", "first", "memory"))
    arguments = parser.parse_args()
    players = start_players(arguments.only, MODULE, arguments.peers)
    print(f"{report.machine(players)}; medians of {arguments.rounds} rounds\n")
    if "step" in arguments.tables:
        times("Training step, ms", "step_ms", players, arguments)
    if "first" in arguments.tables:
        times("A new model's first step, ms", "first_step_ms", players, arguments)
    for player in players:
        player.stop()
    if "memory" in arguments.tables:
        peaks("Memory at its peak, MB resident", players, arguments)


if __name__ == "__main__":
    main()
