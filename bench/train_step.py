"""Training steps of dlcore and its peers, side by side: `python -m bench.train_step [--peers PYTHON] [workload ...]`.

Every contestant is a process of its own; in each round each one trains one epoch of 64 steps, in turn, while the others
wait. The table shows the median over the rounds in milliseconds per step, and the ratio best peer / dlcore.
--peers names the Python interpreter of the environment that has torch, keras and jax (this one by default).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from .contestants import NAMES
from .workloads import WORKLOADS


class Player:
    """A contestant's process."""

    def __init__(self, name: str, python: str):
        self.name = name
        environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
        self.process = subprocess.Popen(
            [python, "-m", "bench.contestants", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        line = self.process.stdout.readline()
        self.version = json.loads(line).get("version") if line else None

    def run(self, workload: str) -> dict | None:
        try:
            self.process.stdin.write(json.dumps({"workload": workload}) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return None

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(players: list[Player], workload: str, rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {player.name: [] for player in players}
    for _ in range(rounds):
        for player in players:
            if answer := player.run(workload):
                times[player.name].append(answer["ms"])
    return {name: statistics.median(values) for name, values in times.items() if values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=[w.name for w in WORKLOADS])
    parser.add_argument("--peers", default=sys.executable, help="Python interpreter with the peers")
    parser.add_argument("--only", nargs="*", choices=NAMES, default=list(NAMES), help="contestants")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    players = []
    for name in arguments.only:
        player = Player(name, sys.executable if name == "dlcore" else arguments.peers)
        if player.version is None:
            print(f"{name}: not installed", file=sys.stderr)
        else:
            players.append(player)
    print(
        "ms per training step, median of",
        arguments.rounds,
        "rounds:",
        ", ".join(f"{p.name} {p.version}" for p in players),
    )
    print(f"{'workload':<10}" + "".join(f"{p.name:>21}" for p in players) + f"{'best peer / dlcore':>21}", flush=True)
    ratios = []
    for workload in arguments.workloads:
        medians = measure(players, workload, arguments.rounds)
        row = "".join(f"{medians.get(p.name, float('nan')):>21.3f}" for p in players)
        peers = [ms for name, ms in medians.items() if name != "dlcore"]
        if peers and "dlcore" in medians:
            ratios.append(min(peers) / medians["dlcore"])
            row += f"{ratios[-1]:>21.2f}"
        print(f"{workload:<10}{row}", flush=True)
    if ratios:
        print(f"geometric mean of the ratios {statistics.geometric_mean(ratios):.2f}, least {min(ratios):.2f}")
    for player in players:
        player.stop()


if __name__ == "__main__":
    main()
