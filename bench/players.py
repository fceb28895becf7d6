"""Contestants as processes: libraries don't meet in one process, and those that wait for their turn are idle.

`Player` is the parent's side. A contestant is an object with a `version` and methods that measure; `serve` is its main
loop: it reads calls from standard input, one JSON object a line, and answers each with one line.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

THREADS = int(
    os.environ.get("OMP_NUM_THREADS")
    or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
)

_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS)),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC", "PJRT_NPROC"), str(THREADS)),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
}

# Seconds before a contestant measures: the threads of the one before look for work for a while before they sleep.
_PAUSE = 0.25


class Player:
    """A contestant's process, running `python -m MODULE NAME`; its version is None where the library is missing."""

    def __init__(self, name: str, module: str, python: str = sys.executable, environment: dict | None = None):
        self.name = name
        self.process = subprocess.Popen(
            [python, "-m", module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
            text=True,
            env={**os.environ, **_ENVIRONMENT, **(environment or {})},
        )
        self.version = self._answer()

    def ask(self, method: str, *arguments):
        """What the contestant's method returns; None where it cannot take part."""
        try:
            self.process.stdin.write(json.dumps([method, *arguments]) + "\n")
            self.process.stdin.flush()
        except OSError:
            return None
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            print(f"{self.name}: {answer['error']}", file=sys.stderr)
        return answer.get("result")

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve(contestant: Callable[[], object]) -> None:
    """Answers calls until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to standard error

    def answer(call: Callable) -> object:
        try:
            result, message = call(), None
        except Exception as error:
            result, message = None, f"{type(error).__name__}: {error}"
        print(json.dumps({"error": message[:500]} if message else {"result": result}), file=answers, flush=True)

    player = None

    def start() -> str:
        nonlocal player
        player = contestant()
        return player.version

    answer(start)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        answer(lambda: getattr(player, method)(*arguments))  # noqa: B023


def start_players(names: Iterable[str], module: str, peers: str, environment: dict | None = None) -> list[Player]:
    """The contestants that are installed; dlcore in this interpreter, the others in that of the peers."""
    started = [
        Player(name, module, sys.executable if name.startswith("dlcore") else peers, environment) for name in names
    ]
    return [player for player in started if player.version is not None]


def medians(players: list[Player], rounds: int, method: str, *arguments) -> dict[str, float]:
    """Each contestant's median over rounds in which they measure in turn."""
    values: dict[str, list[float]] = {player.name: [] for player in players}
    for _ in range(rounds):
        for player in [p for p in players if p.name in values]:
            time.sleep(_PAUSE)
            value = player.ask(method, *arguments)
            if value is None:
                del values[player.name]
            else:
                values[player.name].append(value)
    return {name: statistics.median(known) for name, known in values.items()}


def seconds_per_call(call: Callable[[], object], seconds: float = 0.1, warm_up: bool = True) -> float:
    """The mean over as many calls as fit into so many seconds, after one that warms the caches."""
    if warm_up:
        call()
    calls, elapsed, repeat, start = 0, 0.0, 1, time.perf_counter()
    while elapsed < seconds:
        for _ in range(repeat):
            call()
        calls += repeat
        elapsed = time.perf_counter() - start
        # The clock is read a few times in all: at most as many calls again, and no more than there is time for.
        repeat = max(1, min(calls, int(calls * (seconds / elapsed - 1))))
    return elapsed / calls


def fastest(calls: list[Callable[[], object]]) -> Callable[[], object]:
    """The one of several ways to do the same that takes the least time once warm: a peer's best setting."""
    if len(calls) == 1:
        return calls[0]
    for call in calls:
        call()
    return min(calls, key=lambda call: seconds_per_call(call, 0.05, warm_up=False))
