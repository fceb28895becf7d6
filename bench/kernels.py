"""Single kernels of dlcore and its peers, side by side: `python -m bench.kernels [--peers PYTHON] [kernel ...]`.

Microseconds of one call: products, convolutions and their gradients on the shapes of the workloads, what is bound by
memory, normalisations, recurrent layers and attention forward and backward, an optimizer's step. Peers are PyTorch
(oneDNN and MKL below it), NumPy (OpenBLAS) and JAX (XLA), where they have the kernel. Each contestant is a process; in
each round they measure in turn, and the table shows medians. Kernels are chosen by the beginning of their names:
`conv/ gemm/square`. Those of whole grids are run when they are named: `lstm_grid/ gru_grid/ attention_grid/`.
"""

import itertools
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from . import report
from .players import THREADS, medians, seconds_per_call, serve, start_players


class Gemm(NamedTuple):
    """(m, k) times (k, n), one of them stored transposed or none; zeros: the share of a's elements that are zero."""

    m: int
    n: int
    k: int
    transposed: str = ""  # "a", "b" or neither
    dtype: str = "float32"
    zeros: float = 0


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


class AnyConv(NamedTuple):
    """The output and all gradients of a convolution over `dims` axes of `size`, or of a transposed one."""

    dims: int
    batch: int
    size: int
    inputs: int
    filters: int
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    transposed: bool = False


class Stream(NamedTuple):
    """What is bound by memory, on (rows, cols), or (rows, 16, 16, cols) images: a name of _STREAMS."""

    kind: str
    rows: int
    cols: int


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


class Optimizer(NamedTuple):
    kind: str
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

_PRODUCTS = {
    "mlp512_fwd": Gemm(128, 512, 784),
    "mlp512_dw": Gemm(784, 512, 128, "a"),
    "mlp512_dx": Gemm(128, 512, 256, "b"),
    "conv1_fwd": Gemm(32, 128, 21632),
    "conv1_dw": Gemm(21632, 128, 32, "a"),
    "conv1_dx": Gemm(32, 21632, 128, "b"),
    "imdb_x": Gemm(3200, 256, 128),
    "imdb_dw": Gemm(128, 256, 3200, "a"),
    "imdb_dx": Gemm(3200, 128, 256, "b"),
}

KERNELS = {
    **{f"gemm/square_{n}": Gemm(n, n, n) for n in (64, 128, 256, 512, 1024, 2048)},
    **{f"gemm/{name}": product for name, product in _PRODUCTS.items()},
    **{
        f"gemm/{name}_zeros_{percent}": _PRODUCTS.get(name, Gemm(512, 512, 512))._replace(zeros=percent / 100)
        for name in ("square_512", "mlp512_fwd", "mlp512_dw", "mlp512_dx", "imdb_x")
        for percent in (50, 80, 95)
    },
    **{f"gemm_bf16/square_{n}": Gemm(n, n, n, dtype="bfloat16") for n in (64, 128, 256, 512, 1024, 2048)},
    **{f"gemm_bf16/{name}": product._replace(dtype="bfloat16") for name, product in _PRODUCTS.items()},
    **{f"conv/{n}_{of}": Conv(*s, of) for n, s in _CONVS.items() for of in ("forward", "input", "weights")},
    **{f"conv/speech_3_{of}": Conv(32, 7, 37, 64, 64, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/resnet_56_{of}": Conv(8, 56, 56, 64, 64, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/resnet_14_{of}": Conv(8, 14, 14, 256, 256, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/64_to_3_{of}": Conv(16, 64, 64, 64, 3, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/32_to_1_{of}": Conv(128, 28, 28, 32, 1, of, same=True) for of in ("forward", "input", "weights")},
    **{f"conv/1x1_{of}": Conv(8, 28, 28, 128, 512, of, kernel=1) for of in ("forward", "input", "weights")},
    **{
        f"conv/depthwise_{of}": Conv(8, 28, 28, 192, 192, of, same=True, groups=192)
        for of in ("forward", "input", "weights")
    },
    "conv_all/1d": AnyConv(1, 32, 256, 64, 64),
    "conv_all/1d_8": AnyConv(1, 16, 500, 128, 128, kernel=8),
    "conv_all/1d_causal_dilated": AnyConv(1, 32, 256, 64, 64, dilation=4),
    "conv_all/3d": AnyConv(3, 4, 16, 16, 32),
    "conv_all/5x5": AnyConv(2, 32, 16, 32, 64, kernel=5),
    "conv_all/7x7_stride_2": AnyConv(2, 8, 112, 3, 64, kernel=7, stride=2),
    "conv_all/3x3_stride_2": AnyConv(2, 8, 56, 64, 128, stride=2),
    "conv_all/4x4_stride_2": AnyConv(2, 16, 64, 128, 256, kernel=4, stride=2),
    "conv_all/3x3_dilated": AnyConv(2, 8, 28, 64, 64, dilation=2),
    **{f"conv_all/3x3_{groups}_groups": AnyConv(2, 8, 28, 128, 128, groups=groups) for groups in (4, 8, 16, 32, 64)},
    # Few channels on both sides: filters of sounds and images, LeNet's first layer.
    "conv_all/1d_400_1_to_1": AnyConv(1, 8, 16000, 1, 1, kernel=400),
    "conv_all/1d_64_1_to_4": AnyConv(1, 8, 16000, 1, 4, kernel=64),
    "conv_all/15x15_1_to_1": AnyConv(2, 4, 128, 1, 1, kernel=15),
    "conv_all/7x7_6_to_4": AnyConv(2, 16, 64, 6, 4, kernel=7),
    "conv_all/5x5_1_to_6": AnyConv(2, 64, 28, 1, 6, kernel=5),
    "conv_all/transposed_stride_2": AnyConv(2, 8, 16, 128, 64, kernel=4, stride=2, transposed=True),
    **{f"{kind}/in_cache": Stream(kind, 64, 1024) for kind in ("add", "gelu_chain", "sum_rows", "sum_columns")},
    **{f"{kind}/64_MB": Stream(kind, 16384, 1024) for kind in ("add", "gelu_chain", "sum_rows", "sum_columns")},
    **{f"{kind}/in_cache": Stream(kind, 8, 32) for kind in ("max_pool", "average_pool", "batch_norm")},
    **{f"{kind}/64_MB": Stream(kind, 1024, 64) for kind in ("max_pool", "average_pool", "batch_norm")},
    "embedding/32x100x128": Stream("embedding", 3200, 128),
    "embedding/64_MB": Stream("embedding", 131072, 128),
    "softmax/128x10": Rows("softmax", 128, 10),
    "softmax/4096x4096": Rows("softmax", 4096, 4096),
    "layer_norm/2048x256": Rows("layer_norm", 2048, 256),
    "layer_norm/65536x256": Rows("layer_norm", 65536, 256),
    **{
        f"{kind}/{steps}x{batch}x{inputs}x{units}": Recurrent(kind, steps, batch, inputs, units)
        for kind in ("lstm", "gru")
        for steps, batch, inputs, units in (
            (10, 32, 1, 50),
            (10, 1, 32, 32),
            (512, 1, 16, 64),
            (100, 1, 128, 256),
            (50, 32, 64, 128),
            (100, 32, 128, 64),
            (100, 32, 256, 256),
            (32, 128, 512, 512),
        )
    },
    "attention/128x64": Attention(16, 4, 128, 64),
    "attention/1024x64": Attention(2, 4, 1024, 64),
    "attention/2048x64": Attention(1, 4, 2048, 64),
    "attention/512x32": Attention(4, 8, 512, 32),
    "attention/256x128": Attention(8, 4, 256, 128),
    "attention/64x64": Attention(32, 8, 64, 64),
    **{
        f"{kind}/{tensors}x{elements}": Optimizer(kind, tensors, elements)
        for kind in ("adam", "adamw", "sgd_momentum", "rmsprop")
        for tensors, elements in ((1, 10_000), (500, 200), (8, 10_000), (10, 100_000), (4, 2_500_000), (4, 25_000_000))
        if kind == "adam" or elements < 25_000_000
    },
}

# Recurrent layers of (steps, batch, inputs, units) whose LSTM takes less than 4e9 multiply-adds forward, and attention
# of 4 heads.
GRIDS = {
    **{
        f"{kind}_grid/{steps}x{batch}x{inputs}x{units}": Recurrent(kind, steps, batch, inputs, units)
        for kind in ("lstm", "gru")
        for steps, batch, inputs, units in itertools.product((10, 64, 512), (1, 16, 128), (1, 64, 512), (32, 128, 512))
        if steps * batch * (inputs + units) * 4 * units < 4e9
    },
    **{
        f"attention_grid/{steps}x{width}": Attention(max(1, 1024 // steps), 4, steps, width)
        for steps, width in itertools.product((64, 256, 512, 1024, 2048), (32, 64, 128))
    },
}
_ALL = KERNELS | GRIDS


# Results of 64 MB cost more in fresh pages than in arithmetic: glibc keeps what is freed, for everybody.
_KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def _numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def _factors(g: Gemm) -> tuple[np.ndarray, np.ndarray]:
    """As they are stored."""
    a = _numbers(*((g.k, g.m) if g.transposed == "a" else (g.m, g.k)))
    a[np.random.default_rng(2).random(a.shape) < g.zeros] = 0
    return a, _numbers(*((g.n, g.k) if g.transposed == "b" else (g.k, g.n)), seed=1)


def _any_filters(c: AnyConv) -> np.ndarray:
    return _numbers(*[c.kernel] * c.dims, c.inputs // c.groups, c.filters, seed=1)


def _stream_inputs(s: Stream) -> list[np.ndarray]:
    match s.kind:
        case "add" | "gelu_chain":
            return [_numbers(s.rows, s.cols), _numbers(s.rows, s.cols, seed=1)]
        case "max_pool" | "average_pool":
            return [_numbers(s.rows, 16, 16, s.cols)]
        case "batch_norm":
            return [_numbers(s.rows, 16, 16, s.cols), np.ones(s.cols, "float32"), np.zeros(s.cols, "float32")]
        case "embedding":
            return [_numbers(s.rows, s.cols), np.random.default_rng(1).integers(0, s.rows, s.rows)]
    return [_numbers(s.rows, s.cols)]


class Contestant:
    version: str

    def call(self, kernel) -> Callable[[], object] | None:
        """A function that runs the kernel once; None where the library has none."""
        raise NotImplementedError

    def us(self, name: str) -> float | None:
        if getattr(self, "_last", (None,))[0] != name:
            self._last = (None,)
            self._last = name, self.call(_ALL[name])
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
        tensors = [self.keras.ops.convert_to_tensor(a) for a in arrays]
        return lambda: program.run(tensors)

    def with_gradients(self, arrays: list[np.ndarray], function: Callable) -> Callable[[], object]:
        """function(*symbols) -> a symbol; the gradients of its sum with respect to all of them."""
        return self.program(arrays, lambda graph, x: graph.gradient([function(*x)], x))

    def call(self, kernel):
        apply, ops = self.core.apply, self.keras.ops
        match kernel:
            case Gemm():
                how = {"transpose_a": kernel.transposed == "a", "transpose_b": kernel.transposed == "b"}
                factors = [self.keras.ops.cast(x, kernel.dtype) for x in _factors(kernel)]
                return self.program(factors, lambda _, x: [apply("matmul", x, **how)])
            case Conv():
                return self._conv(kernel)
            case AnyConv():
                return self._any_conv(kernel)
            case Stream():
                arrays, function = _stream_inputs(kernel), getattr(self, f"_{kernel.kind}")
                return self.program(arrays, lambda _, x: [function(*x)])
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
            case Optimizer(kind, tensors, elements):
                weights = [self.keras.Variable(_numbers(elements)) for _ in range(tensors)]
                optimizers = self.keras.optimizers
                optimizer = {
                    "adam": optimizers.Adam,
                    "adamw": optimizers.AdamW,
                    "sgd_momentum": lambda: optimizers.SGD(0.01, momentum=0.9),
                    "rmsprop": optimizers.RMSprop,
                }[kind]()
                optimizer.build(weights)
                gradients = [_numbers(elements) for _ in weights]

                def update(_, symbols):
                    optimizer.apply(symbols, weights)
                    return []

                return self.program(gradients, update)

    def _any_conv(self, c: AnyConv):
        ops = self.keras.ops
        x, w = _numbers(c.batch, *[c.size] * c.dims, c.inputs), _any_filters(c)
        if c.transposed:
            w = np.swapaxes(w, -1, -2).copy()  # (..., filters, inputs)
            function = lambda x, w: ops.conv_transpose(x, w, c.stride, "same")  # noqa: E731
        else:
            function = lambda x, w: ops.conv(x, w, c.stride, "same", dilation_rate=c.dilation)  # noqa: E731
        return self.with_gradients([x, w], function)

    def _add(self, x, y):
        return x + y

    def _gelu_chain(self, x, y):
        return self.keras.ops.gelu(x * 0.5 + 1.0) * y

    def _sum_rows(self, x):
        return self.keras.ops.sum(x, axis=1)

    def _sum_columns(self, x):
        return self.keras.ops.sum(x, axis=0)

    def _max_pool(self, x):
        return self.keras.ops.max_pool(x, 2, 2)

    def _average_pool(self, x):
        return self.keras.ops.average_pool(x, 2, 2)

    def _batch_norm(self, x, scale, offset):
        return self.core.apply("batch_norm", [x, scale, offset], epsilon=1e-5)[0]

    def _embedding(self, table, rows):
        return self.keras.ops.take(table, rows, axis=0)

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
                a, b = (tensor(x).to(getattr(torch, kernel.dtype)) for x in _factors(kernel))
                a, b = a.T if kernel.transposed == "a" else a, b.T if kernel.transposed == "b" else b
                return lambda: torch.mm(a, b)
            case Conv():
                return self._conv(kernel)
            case AnyConv():
                return self._any_conv(kernel)
            case Stream():
                return self._stream(kernel)
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
            case Optimizer(kind, tensors, elements):
                weights = [tensor(_numbers(elements)).requires_grad_() for _ in range(tensors)]
                for weight in weights:
                    weight.grad = tensor(_numbers(elements))
                optimizer = {
                    "adam": lambda: torch.optim.Adam(weights, fused=True),
                    "adamw": lambda: torch.optim.AdamW(weights, fused=True),
                    "sgd_momentum": lambda: torch.optim.SGD(weights, 0.01, momentum=0.9, fused=True),
                    "rmsprop": lambda: torch.optim.RMSprop(weights, foreach=True),  # has no fused one
                }[kind]()
                return optimizer.step

    def _any_conv(self, c: AnyConv):
        torch, functional = self.torch, self.torch.nn.functional
        filters = np.moveaxis(_any_filters(c), (-1, -2), (0, 1))  # (filters, inputs, ...)
        name = f"conv{'_transpose' if c.transposed else ''}{c.dims}d"
        convolve, pad = getattr(functional, name), (c.kernel - 1) * c.dilation // 2
        if c.transposed:
            filters, how = np.swapaxes(filters, 0, 1), (None, c.stride, (c.kernel - c.stride) // 2)
        else:
            how = (None, c.stride, pad, c.dilation, c.groups)
        formats = [torch.contiguous_format]
        if c.dims > 1:
            formats.append(torch.channels_last if c.dims == 2 else torch.channels_last_3d)
        calls = []
        for memory_format in formats:
            x = torch.from_numpy(_numbers(c.batch, c.inputs, *[c.size] * c.dims))
            w = torch.from_numpy(filters.copy())
            x, w = (t.contiguous(memory_format=memory_format).requires_grad_() for t in (x, w))
            calls.append(lambda x=x, w=w: torch.autograd.grad(convolve(x, w, *how).sum(), (x, w)))
        return min(calls, key=lambda call: seconds_per_call(call, 0.05))

    def _stream(self, stream: Stream):
        torch, functional = self.torch, self.torch.nn.functional
        x, *others = (torch.from_numpy(a) for a in _stream_inputs(stream))
        if x.ndim == 4:
            x = x.permute(0, 3, 1, 2)  # the same bytes, channels last
        y = others[0] if others else None
        return {
            "add": lambda: x + y,
            "gelu_chain": lambda: functional.gelu(x * 0.5 + 1.0) * y,
            "sum_rows": lambda: x.sum(1),
            "sum_columns": lambda: x.sum(0),
            "max_pool": lambda: functional.max_pool2d(x, 2),
            "average_pool": lambda: functional.avg_pool2d(x, 2),
            "batch_norm": lambda: functional.batch_norm(x, None, None, *others, training=True),
            "embedding": lambda: functional.embedding(y, x),
        }[stream.kind]

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
        if not isinstance(kernel, Gemm) or kernel.dtype != "float32":
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
                arrays = [x.astype(jnp.dtype(kernel.dtype)) for x in _factors(kernel)]
                ta, tb = kernel.transposed == "a", kernel.transposed == "b"
                return self._compiled(lambda a, b: (a.T if ta else a) @ (b.T if tb else b), arrays)
            case Conv():
                return self._conv(kernel)
            case Rows("softmax", rows, cols):
                return self._compiled(jax.nn.softmax, [_numbers(rows, cols)])
            case Rows(_, rows, cols):
                return self._compiled(jax.nn.standardize, [_numbers(rows, cols)])
            case Recurrent():
                return self._recurrent(kernel)
            case Attention(batch, heads, steps, width):
                qkv = [_numbers(batch, steps, heads, width, seed=i) for i in range(3)]
                loss = lambda *x: jnp.sum(jax.nn.dot_product_attention(*x))  # noqa: E731
                return self._compiled(jax.grad(loss, (0, 1, 2)), qkv)
        return None

    def _compiled(self, function: Callable, arrays) -> Callable[[], object]:
        compiled, arrays = self.jax.jit(function), [self.jax.numpy.asarray(a) for a in arrays]
        return lambda: self.jax.block_until_ready(compiled(*arrays))

    def _recurrent(self, r: Recurrent):
        """Outputs of all steps by a scan, and the gradients of their sum; gates as Keras has them."""
        jax, jnp = self.jax, self.jax.numpy

        def lstm(state, projected, weights, bias):
            h, c = state
            i, f, g, o = jnp.split(projected + h @ weights + bias, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        def gru(state, projected, weights, bias):
            (h,) = state
            zx, rx, nx = jnp.split(projected, 3, axis=-1)
            zh, rh, nh = jnp.split(h @ weights + bias, 3, axis=-1)
            z = jax.nn.sigmoid(zx + zh)
            h = z * h + (1 - z) * jnp.tanh(nx + jax.nn.sigmoid(rx + rh) * nh)
            return (h,), h

        step, gates, states = (lstm, 4, 2) if r.kind == "lstm" else (gru, 3, 1)

        def loss(x, kernel, weights, bias):  # inputs of all steps are projected at once
            projected = jnp.swapaxes(x @ kernel, 0, 1)
            state = (jnp.zeros((r.batch, r.units)),) * states
            return jnp.sum(jax.lax.scan(lambda s, p: step(s, p, weights, bias), state, projected)[1])

        wide = gates * r.units
        weights = [0.05 * _numbers(*shape) for shape in ((r.inputs, wide), (r.units, wide), (wide,))]
        return self._compiled(jax.grad(loss, (0, 1, 2, 3)), [_numbers(r.batch, r.steps, r.inputs), *weights])

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


def _groups(names: Iterable[str]) -> list[str]:
    """What stands before the slash, each once."""
    return list(dict.fromkeys(name.split("/")[0] for name in names))


def main() -> None:
    grids = [f"{group}/" for group in _groups(GRIDS)]
    arguments = report.command_line(__doc__.splitlines()[0], KERNELS, CONTESTANTS, grids).parse_args()
    names = [name for name in _ALL if name.startswith(tuple(arguments.rows))]
    players = start_players(arguments.only, "bench.kernels", arguments.peers, _KEEPS_MEMORY)
    print(f"{report.machine(players)}; medians of {arguments.rounds} rounds\n")
    for group in _groups(names):
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
