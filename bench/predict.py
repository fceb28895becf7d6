"""Predictions of dlcore and its peers, side by side: `python -m bench.predict [--peers PYTHON] [workload ...]`.

Tables: microseconds from a NumPy batch to NumPy predictions, for batches of 1, 32 and 1024 rows, and milliseconds for
a test set. The column dlcore is model.predict(), which the ratio is about, and dlcore-call is model(x). In each round
the contestants, a process each, measure in turn; the tables show medians. The row xor, whose arithmetic takes next to
no time, shows what a call itself costs. --peers names the Python interpreter of the environment that has torch, keras,
tensorflow, jax, onnx, onnxruntime and openvino.
"""

from . import report
from .players import medians, start_players
from .predictors import CONTESTANTS, TEST_ROWS
from .workloads import NINE

TABLES = {
    **{f"{n}": (f"Prediction of {n} rows, us", "latency_us", n) for n in (1, 32, 1024)},
    "all": (f"Prediction of {TEST_ROWS:,} rows, ms", "test_set_ms"),
}


def main() -> None:
    parser = report.command_line(__doc__.splitlines()[0], [*(w.name for w in NINE), "xor"], CONTESTANTS)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES), help="rows in a call")
    arguments = parser.parse_args()
    players = start_players(arguments.only, "bench.predictors", arguments.peers)
    print(f"{report.machine(players)}; medians of {arguments.rounds} rounds\n")
    for title, method, *batch in (TABLES[name] for name in arguments.tables):
        table = report.Comparison(title, players, arguments.markdown)
        for name in arguments.rows:
            table.compare(name, medians(players, arguments.rounds, method, name, *batch))
        table.end()
    for player in players:
        player.stop()


if __name__ == "__main__":
    main()
