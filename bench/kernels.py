"""Single kernels of dlcore and its peers, side by side: `python -m bench.kernels [--peers PYTHON] [kernel ...]`.

Microseconds of one call: products, convolutions and their gradients on the shapes of the workloads, normalisations,
recurrent layers and attention forward and backward, an optimizer's step. Peers are PyTorch (oneDNN and MKL below it),
NumPy (OpenBLAS) and JAX (XLA), where they have the kernel. Each contestant is a process; in each round they measure in
turn, and the table shows medians. Kernels are chosen by the beginning of their names: `conv gemm/square`.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import report
from .players import THREADS, medians, seconds_per_call, serve, start_players


class Gemm(NamedTuple):
    """(m, k) times (k, n), one of them stored transposed or none."""

    m: int
    n: int
    k: int
    transposed: str = ""  # "a", "b" or neither


class Conv(NamedTuple):
    """Square kernels on NHWC images; of: "forward", "input" or "weights", the gradient that is computed."""

    batch: int
    height: int
    width: int
    inputs: int
    filters: int
    of: str
    kernel: int = 3
    stride: int = 1
    same: bool = False
    groups: int = 1


class Rows(NamedTuple):
    """ "softmax" or "layer_norm" over the last axis."""

    kind: str
    rows: int
    cols: int


class Recurrent(NamedTuple):
    """Outputs of all steps from (batch, steps, inputs), and all gradients."""

    kind: str
    steps: int
    batch: int
    inputs: int
    units: int


class Attention(NamedTuple):
    """Scaled dot products of (batch, heads, steps, width), and all gradients."""

    batch: int
    heads: int
    steps: int
    width: int


class Adam(NamedTuple):
    tensors: int
    elements: int  # of each


_CONVS = {
    "mnist_1": (128, 28, 28, 1, 32),
    "mnist_2": (128, 13, 13, 32, 64),
    "mnist_3": (32, 5, 5, 64, 64),
    "cifar_1": (32, 32, 32, 3, 32),
    "cifar_2": (32, 15, 15, 32, 64),
    "cifar_3": (32, 6, 6, 64, 64),
    "speech_2": (32, 9, 39, 32, 64),
}

KERNELS = {
    **{f"gemm/square_{n}": Gemm(n, n, n) for n in (64, 128, 256, 512, 1024, 2048)},
    "gemm/mlp512_fwd": Gemm(128, 512, 784),
    "gemm/mlp512_dw": Gemm(784, 512, 128, "a"),
    "gemm/mlp512_dx": Gemm(128, 512, 256, "b"),
    "gemm/conv1_fwd": Gemm(32, 128, 21632),
    "gemm/conv1_dw": Gemm(21632, 128, 32, "a"),
    "gemm/conv1_dx": Gemm(32, 21632, 128, "b"),
    "gemm/imdb_x": Gemm(3200, 256, 128),
    "gemm/imdb_dw": Gemm(128, 256, 3200, "a"),
    "gemm/imdb_dx": Gemm(3200, 128, 256, "b"),
    **{f"conv/{n}_{of}": Conv(*s, of) for n, s in _CONVS.items() for of in ("forward", "input", "weights")},
    **{f"conv/speech_3_{of}": Conv(32, 7, 37, 64, 64, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/resnet_56_{of}": Conv(8, 56, 56, 64, 64, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/resnet_14_{of}": Conv(8, 14, 14, 256, 256, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/1x1_{of}": Conv(8, 28, 28, 128, 512, of, kernel=1) for of in ("forward", "input", "weights")},
    **{
        f"conv/depthwise_{of}": Conv(8, 28, 28, 192, 192, of, same=True, groups=192)
        for of in ("forward", "input", "weights")
    },
    "softmax/128x10": Rows("softmax", 128, 10),
    "softmax/4096x4096": Rows("softmax", 4096, 4096),
    "layer_norm/2048x256": Rows("layer_norm", 2048, 256),
    "layer_norm/65536x256": Rows("layer_norm", 65536, 256),
    "lstm/10x32x1x50": Recurrent("lstm", 10, 32, 1, 50),
    "lstm/100x32x128x64": Recurrent("lstm", 100, 32, 128, 64),
    "lstm/100x32x256x256": Recurrent("lstm", 100, 32, 256, 256),
    "gru/50x32x64x128": Recurrent("gru", 50, 32, 64, 128),
    "attention/128x64": Attention(16, 4, 128, 64),
    "attention/1024x64": Attention(2, 4, 1024, 64),
    "adam/8x10000": Adam(8, 10_000),
    "adam/4x2500000": Adam(4, 2_500_000),
}


def _numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def _factors(g: Gemm) -> tuple[np.ndarray, np.ndarray]:
    """As they are stored."""
    a = _numbers(*((g.k, g.m) if g.transposed == "a" else (g.m, g.k)))
    return a, _numbers(*((g.n, g.k) if g.transposed == "b" else (g.k, g.n)), seed=1)


class Contestant:
    version: str

    def call(self, kernel) -> Callable[[], object] | None:
        """A function that runs the kernel once; None where the library has none."""
        raise NotImplementedError

    def us(self, name: str) -> float | None:
        if getattr(self, "_last", (None,))[0] != name:
            self._last = (None,)
            self._last = name, self.call(KERNELS[name])
        return None if self._last[1] is None else 1e6 * seconds_per_call(self._last[1], 0.1)


class Dlcore(Contestant):
    """Programs, as a model runs them."""

    def __init__(self):
        import dlcore

        self.keras, self.core, self.version = dlcore, dlcore._core, dlcore.__version__

    def program(self, arrays: list[np.ndarray], outputs: Callable) -> Callable[[], object]:
        """outputs(graph, symbols) -> symbols."""
        graph = self.core.Graph()
        with graph:
            symbols = [graph.input(a.shape, str(a.dtype), "x") for a in arrays]
            program = graph.compile(outputs(graph, symbols))
        tensors = [self.core.tensor(a) for a in arrays]
        return lambda: program.run(tensors)

    def with_gradients(self, arrays: list[np.ndarray], function: Callable) -> Callable[[], object]:
        """function(*symbols) -> a symbol; the gradients of its sum with respect to all of them."""
        return self.program(arrays, lambda graph, x: graph.gradient([function(*x)], x))

    def call(self, kernel):
        apply, ops = self.core.apply, self.keras.ops
        match kernel:
            case Gemm():
                how = {"transpose_a": kernel.transposed == "a", "transpose_b": kernel.transposed == "b"}
                return self.program(list(_factors(kernel)), lambda _, x: [apply("matmul", x, **how)])
            case Conv():
                return self._conv(kernel)
            case Rows("softmax", rows, cols):
                return self.program([_numbers(rows, cols)], lambda _, x: [ops.softmax(x[0])])
            case Rows(_, rows, cols):
                arrays = [_numbers(rows, cols), np.ones(cols, "float32"), np.zeros(cols, "float32")]
                return self.program(arrays, lambda _, x: [ops.layer_normalization(*x)])
            case Recurrent(kind, steps, batch, inputs, units):
                layer = {"lstm": self.keras.layers.LSTM, "gru": self.keras.layers.GRU}[kind]
                layer = layer(units, return_sequences=True)
                x = _numbers(batch, steps, inputs)
                layer(self.core.tensor(x))

                def outputs(graph, symbols):
                    sources = [symbols[0], *(w.value for w in layer.weights)]
                    return graph.gradient([layer(symbols[0])], sources)

                return self.program([x], outputs)
            case Attention(batch, heads, steps, width):
                arrays = [_numbers(batch, steps, heads, width, seed=i) for i in range(3)]
                return self.with_gradients(arrays, ops.dot_product_attention)
            case Adam(tensors, elements):
                weights = [self.keras.Variable(_numbers(elements)) for _ in range(tensors)]
                optimizer = self.keras.optimizers.Adam()
                optimizer.build(weights)
                gradients = [_numbers(elements) for _ in weights]

                def update(_, symbols):
                    optimizer.apply(symbols, weights)
                    return []

                return self.program(gradients, update)

    def _conv(self, c: Conv):
        attrs = {
            "strides": [c.stride, c.stride],
            "padding": "same" if c.same else "valid",
            "groups": c.groups,
        }
        x = _numbers(c.batch, c.height, c.width, c.inputs)
        w = _numbers(c.kernel, c.kernel, c.inputs // c.groups, c.filters, seed=1)
        apply = self.core.apply
        if c.of == "forward":
            return self.program([x, w], lambda _, t: [apply("conv2d", t, **attrs)])
        shape = apply("conv2d", [self.core.tensor(x), self.core.tensor(w)], **attrs).shape
        dy = _numbers(*shape, seed=2)
        if c.of == "input":
            return self.program([dy, w, x], lambda _, t: [apply("conv2d_backward_input", t, **attrs)])
        return self.program([x, dy, w], lambda _, t: [apply("conv2d_backward_weights", t, **attrs)])


class Torch(Contestant):
    """Eager; convolutions in the faster of the two memory formats."""

    def __init__(self):
        import torch

        self.torch, self.version = torch, torch.__version__
        torch.set_num_threads(THREADS)

    def call(self, kernel):
        torch, functional = self.torch, self.torch.nn.functional
        tensor = torch.from_numpy
        match kernel:
            case Gemm():
                a, b = (tensor(x) for x in _factors(kernel))
                a, b = a.T if kernel.transposed == "a" else a, b.T if kernel.transposed == "b" else b
                return lambda: torch.mm(a, b)
            case Conv():
                return self._conv(kernel)
            case Rows("softmax", rows, cols):
                x = tensor(_numbers(rows, cols))
                return lambda: torch.softmax(x, -1)
            case Rows(_, rows, cols):
                x, scale, offset = tensor(_numbers(rows, cols)), torch.ones(cols), torch.zeros(cols)
                return lambda: functional.layer_norm(x, (cols,), scale, offset)
            case Recurrent(kind, steps, batch, inputs, units):
                rnn = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](inputs, units, batch_first=True)
                x = tensor(_numbers(batch, steps, inputs)).requires_grad_()
                sources = [x, *rnn.parameters()]
                return lambda: torch.autograd.grad(rnn(x)[0].sum(), sources)
            case Attention(batch, heads, steps, width):
                qkv = [tensor(_numbers(batch, heads, steps, width, seed=i)).requires_grad_() for i in range(3)]
                return lambda: torch.autograd.grad(functional.scaled_dot_product_attention(*qkv).sum(), qkv)
            case Adam(tensors, elements):
                weights = [tensor(_numbers(elements)).requires_grad_() for _ in range(tensors)]
                for weight in weights:
                    weight.grad = tensor(_numbers(elements))
                return torch.optim.Adam(weights, fused=True).step

    def _conv(self, c: Conv):
        torch = self.torch
        pad = c.kernel // 2 if c.same else 0
        wanted = {"input": (True, False, False), "weights": (False, True, False)}.get(c.of)
        how = ([c.stride] * 2, [pad] * 2, [1, 1], False, [0, 0], c.groups)
        backward = torch.ops.aten.convolution_backward
        calls = []
        for memory_format in (torch.contiguous_format, torch.channels_last):
            x = torch.from_numpy(_numbers(c.batch, c.inputs, c.height, c.width)).contiguous(memory_format=memory_format)
            w = torch.from_numpy(_numbers(c.filters, c.inputs // c.groups, c.kernel, c.kernel, seed=1))
            w = w.contiguous(memory_format=memory_format)
            forward = lambda x=x, w=w: torch.conv2d(x, w, None, c.stride, pad, 1, c.groups)  # noqa: E731
            dy = torch.randn_like(forward())
            calls.append(forward if not wanted else lambda x=x, w=w, dy=dy: backward(dy, x, w, None, *how, wanted))
        return min(calls, key=lambda call: seconds_per_call(call, 0.05))


class NumPy(Contestant):
    version = np.__version__

    def call(self, kernel):
        if not isinstance(kernel, Gemm):
            return None
        a, b = _factors(kernel)
        a, b = a.T if kernel.transposed == "a" else a, b.T if kernel.transposed == "b" else b
        return lambda: a @ b


class Jax(Contestant):
    """Compiled functions."""

    def __init__(self):
        import jax

        self.jax, self.version = jax, jax.__version__

    def call(self, kernel):
        jax, jnp = self.jax, self.jax.numpy
        match kernel:
            case Gemm():
                arrays = _factors(kernel)
                ta, tb = kernel.transposed == "a", kernel.transposed == "b"
                return self._compiled(lambda a, b: (a.T if ta else a) @ (b.T if tb else b), arrays)
            case Conv():
                return self._conv(kernel)
            case Rows("softmax", rows, cols):
                return self._compiled(jax.nn.softmax, [_numbers(rows, cols)])
            case Rows(_, rows, cols):
                return self._compiled(jax.nn.standardize, [_numbers(rows, cols)])
            case Attention(batch, heads, steps, width):
                qkv = [_numbers(batch, steps, heads, width, seed=i) for i in range(3)]
                loss = lambda *x: jnp.sum(jax.nn.dot_product_attention(*x))  # noqa: E731
                return self._compiled(jax.grad(loss, (0, 1, 2)), qkv)
        return None

    def _compiled(self, function: Callable, arrays) -> Callable[[], object]:
        compiled, arrays = self.jax.jit(function), [self.jax.numpy.asarray(a) for a in arrays]
        return lambda: self.jax.block_until_ready(compiled(*arrays))

    def _conv(self, c: Conv):
        x = _numbers(c.batch, c.height, c.width, c.inputs)
        w = _numbers(c.kernel, c.kernel, c.inputs // c.groups, c.filters, seed=1)

        def forward(x, w):
            return self.jax.lax.conv_general_dilated(
                x,
                w,
                (c.stride, c.stride),
                "SAME" if c.same else "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=c.groups,
            )

        if c.of == "forward":
            return self._compiled(forward, [x, w])
        dy = _numbers(*forward(x, w).shape, seed=2)
        which = 0 if c.of == "input" else 1
        return self._compiled(lambda x, w, dy: self.jax.vjp(forward, x, w)[1](dy)[which], [x, w, dy])


CONTESTANTS = {"dlcore": Dlcore, "torch": Torch, "numpy": NumPy, "jax": Jax}


def main() -> None:
    parser = report.command_line(__doc__.splitlines()[0], KERNELS, CONTESTANTS)
    arguments = parser.parse_args()
    names = [name for name in KERNELS if name.startswith(tuple(arguments.rows))]
    players = start_players(arguments.only, "bench.kernels", arguments.peers)
    print(f"{report.machine(players)}; medians of {arguments.rounds} rounds\n")
    for group in dict.fromkeys(name.split("/")[0] for name in names):
        table = report.Comparison(f"{group}, us", players, arguments.markdown)
        for name in names:
            if name.split("/")[0] == group:
                table.compare(name, medians(players, arguments.rounds, "us", name))
        table.end()
    for player in players:
        player.stop()


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTESTANTS:
        serve(CONTESTANTS[sys.argv[1]])
    else:
        main()
