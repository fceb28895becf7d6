"""Kernels on the GPU beside what the card can do: `python -m bench.cuda.kernels [--peers PYTHON]`.

Memory-bound kernels as a share of the bandwidth of a copy (bytes read and written, counted once each); matrix products
in TFLOP/s beside PyTorch's, which are cuBLAS's, on the same card.
"""

import argparse
import sys
import time

import numpy as np

from ..players import serve, start_players

MIB = 1 << 20
PRODUCTS = [(n, kind) for n in (1024, 4096, 8192) for kind in ("float32", "tf32", "bfloat16")]


class Dlcore:
    """Programs on variables, so that nothing but the kernel runs."""

    def __init__(self):
        import dlcore

        self.keras, self.core, self.version = dlcore, dlcore._core, dlcore.__version__
        if not self.core.placement().startswith("gpu"):
            raise RuntimeError(f"There is no GPU. {self.core.no_device_reason()}")

    def variable(self, *shape, dtype="float32"):
        numbers = np.random.default_rng(0).random(shape, dtype="float32")
        return self.core.Variable(self.core.tensor(numbers, dtype), "v")

    def seconds(self, record, calls=50):
        """Of one run of what `record` assigns."""
        graph = self.core.Graph()
        with graph:
            record()
            program = graph.compile([])
        for _ in range(3):
            program.run([])
        self.core.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            program.run([])
        self.core.synchronize()
        return (time.perf_counter() - start) / calls

    def bandwidths(self):
        """name -> GB/s."""
        rows, columns = 16384, 4096  # 256 MiB: beyond the caches
        a, b, c = (self.variable(rows, columns) for _ in range(3))
        size = 4.0 * rows * columns
        apply = self.core.apply
        work = {
            "copy": (2 * size, lambda: b.assign(apply("copy", [a.value()]))),
            "chain": (2 * size, lambda: b.assign(apply("tanh", [apply("mul", [a.value(), a.value()])]))),
            "add": (3 * size, lambda: c.assign(apply("add", [a.value(), b.value()]))),
            "softmax": (2 * size, lambda: b.assign(apply("softmax", [a.value()]))),
            "sum": (size, lambda: s.assign(apply("reduce_sum", [a.value()]))),
            "layer_norm": (2 * size, lambda: b.assign(apply("layer_norm", [a.value(), g.value(), g.value()])[0])),
        }
        s, g = self.variable(), self.variable(columns)
        rates = {name: moved / self.seconds(record) / 1e9 for name, (moved, record) in work.items()}
        for count, elements in ((4, 10_000_000), (400, 10_000)):
            weights = [self.keras.Variable(np.ones(elements, "float32")) for _ in range(count)]
            gradients = [self.variable(elements) for _ in weights]
            optimizer = self.keras.optimizers.Adam()
            optimizer.build(weights)
            record = lambda: optimizer.apply([v.value() for v in gradients], weights)  # noqa: E731, B023
            rates[f"adam {count}x{elements}"] = 7 * 4 * count * elements / self.seconds(record) / 1e9
        return rates

    def product(self, n, kind):
        """TFLOP/s."""
        self.core.set_tf32(kind == "tf32")
        a, b, c = (self.variable(n, n, dtype="bfloat16" if kind == "bfloat16" else "float32") for _ in range(3))
        return 2e-12 * n**3 / self.seconds(lambda: c.assign(self.core.apply("matmul", [a.value(), b.value()])), 20)


class Torch:
    def __init__(self):
        import torch

        self.torch, self.version = torch, torch.__version__

    def product(self, n, kind):
        torch = self.torch
        torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
        a, b = (torch.rand(n, n, device="cuda", dtype=getattr(torch, kind.replace("tf32", "float32"))) for _ in "ab")
        c = torch.empty_like(a)
        for _ in range(3):
            torch.mm(a, b, out=c)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(20):
            torch.mm(a, b, out=c)
        torch.cuda.synchronize()
        return 2e-12 * n**3 * 20 / (time.perf_counter() - start)


CONTESTANTS = {"dlcore": Dlcore, "torch": Torch}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="Python interpreter that has torch")
    players = {p.name: p for p in start_players(CONTESTANTS, "bench.cuda.kernels", parser.parse_args().peers)}
    if "dlcore" not in players:
        sys.exit(1)
    rates = players["dlcore"].ask("bandwidths") or {}
    for name, rate in rates.items():
        print(f"{name:<18} {rate:8.0f} GB/s {rate / rates['copy']:7.1%} of a copy's")
    for n, kind in PRODUCTS:
        ours = players["dlcore"].ask("product", n, kind)
        theirs = players["torch"].ask("product", n, kind) if "torch" in players else None
        share = f"{ours / theirs:7.1%} of cuBLAS through PyTorch" if ours and theirs else ""
        print(f"{kind + f' {n}x{n}x{n}':<26} {ours or float('nan'):8.1f} TFLOP/s {share}")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTESTANTS:
        serve(CONTESTANTS[sys.argv[1]])
    else:
        main()
