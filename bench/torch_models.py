"""The workloads' models in PyTorch: NCHW images, logits instead of probabilities while training."""

import torch
from torch import nn

from .workloads import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool,
    Recurrent,
    Residual,
    SelfAttention,
    Skip,
    Upsample,
    Workload,
)


def build(w: Workload, channels_last: bool = False, probabilities: bool = False) -> nn.Module:
    """The model of a workload; it ends with logits or with probabilities."""
    example = torch.zeros(1, *w.input_shape)
    example = example.long() if w.tokens else as_images(example, False) if w.is_image else example
    model, _ = _chain(w.layers, example)
    if probabilities and w.loss != "mse":
        model.append(nn.Softmax(-1) if w.loss == "sparse" else nn.Sigmoid())
    return model.to(memory_format=torch.channels_last) if channels_last else model


def as_images(x: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """NHWC rows as PyTorch takes them: NCHW in one of its two memory formats."""
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    return x.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)


def parameters(model: nn.Module) -> int:
    """As Keras counts them: an LSTM has one bias there, and two of the same effect here."""
    doubled = [m for m in model.modules() if isinstance(m, nn.LSTM)]
    return sum(p.numel() for p in model.parameters()) - sum(
        p.numel() for lstm in doubled for name, p in lstm.named_parameters() if name.startswith("bias_hh")
    )


class ResidualSum(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        return self.main(x) + self.shortcut(x)


class SkipConcat(nn.Module):
    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return torch.cat([x, self.inner(x)], 1)


class Attention(nn.Module):
    """Multi-head self-attention on (batch, time, width), one projection for queries, keys and values together."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.project(x).chunk(3, -1))
        heads = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(heads.transpose(1, 2).flatten(-2))


class Rnn(nn.Module):
    """LSTM or GRU; the outputs of all steps, or those of the last."""

    def __init__(self, kind: str, width: int, units: int, sequences: bool, bidirectional: bool):
        super().__init__()
        self.sequences = sequences
        self.rnn = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](width, units, batch_first=True, bidirectional=bidirectional)

    def forward(self, x):
        outputs, state = self.rnn(x)
        if self.sequences:
            return outputs
        last = state[0] if isinstance(state, tuple) else state
        return last.transpose(0, 1).flatten(1)


class OverSteps(nn.Module):
    """A module of (batch, channels, time) on (batch, time, channels). Nothing is copied between two of them."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.transpose(1, 2)).transpose(1, 2)


class GlobalPool(nn.Module):
    """reduce: torch.mean or torch.amax, over all axes between batch and channels."""

    def __init__(self, reduce, x: torch.Tensor):
        super().__init__()
        self.reduce, self.axes = reduce, (2, 3) if x.ndim == 4 else (1,)

    def forward(self, x):
        return self.reduce(x, self.axes)


def _chain(chain: tuple, x: torch.Tensor) -> tuple[nn.Sequential, torch.Tensor]:
    """The chain's module, and what it makes of an example."""
    modules = nn.Sequential()
    for description in chain:
        module = _module(description, x)
        modules.append(module)
        with torch.no_grad():
            x = module.eval()(x)
    return modules.train(), x


def _module(description, x: torch.Tensor) -> nn.Module:
    match description:
        case Dense(units, activation):
            return _activated(nn.Linear(x.shape[-1], units), activation)
        case Conv(filters, kernel, activation, padding, stride, bias):
            if x.ndim == 3:
                conv = nn.Conv1d(x.shape[2], filters, kernel, stride, padding, bias=bias)
                return _activated(OverSteps(conv), activation)
            pad = kernel // 2 if padding == "same" else 0
            return _activated(nn.Conv2d(x.shape[1], filters, kernel, stride, pad, bias=bias), activation)
        case DepthwiseConv(stride):
            return nn.Conv2d(x.shape[1], x.shape[1], 3, stride, 1, groups=x.shape[1], bias=False)
        case BatchNorm() if x.ndim == 3:
            return OverSteps(nn.BatchNorm1d(x.shape[2], eps=1e-3, momentum=0.01))
        case BatchNorm():
            return nn.BatchNorm2d(x.shape[1], eps=1e-3, momentum=0.01)
        case LayerNorm():
            return nn.LayerNorm(x.shape[-1], eps=1e-3)
        case Activation(name):
            return _ACTIVATIONS[name]()
        case MaxPool(size):
            return nn.MaxPool2d(size)
        case GlobalAveragePool():
            return GlobalPool(torch.mean, x)
        case GlobalMaxPool():
            return GlobalPool(torch.amax, x)
        case Upsample(size):
            return nn.Upsample(scale_factor=size)
        case Flatten():
            return nn.Flatten()
        case Embedding(vocabulary, width):
            return nn.Embedding(vocabulary, width)
        case Recurrent(kind, units, sequences, bidirectional):
            return Rnn(kind, x.shape[-1], units, sequences, bidirectional)
        case SelfAttention(heads):
            return Attention(x.shape[-1], heads)
        case Residual(main, shortcut):
            return ResidualSum(_chain(main, x)[0], _chain(shortcut, x)[0])
        case Skip(inner):
            return SkipConcat(_chain(inner, x)[0])
    raise ValueError(f"no torch module for {description}")


_ACTIVATIONS = {"relu": lambda: nn.ReLU(inplace=True), "tanh": nn.Tanh, "gelu": nn.GELU}


def _activated(module: nn.Module, activation: str | None) -> nn.Module:
    """With its activation; the last layer's softmax and sigmoid belong to the loss."""
    return nn.Sequential(module, _ACTIVATIONS[activation]()) if activation in _ACTIVATIONS else module
