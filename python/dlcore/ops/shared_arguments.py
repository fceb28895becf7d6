"""What the arguments mean that many functions share, said once and put into the docstrings that do not say it."""

import inspect
import re

_MEANINGS = {
    "x": "tensor, or what can be made one.",
    "x1": "tensor or number.",
    "x2": "tensor or number; the shapes are broadcast, the dtypes promoted.",
    "y": "as x; the shapes are broadcast.",
    "xs": "list of tensors.",
    "a": "tensor.",
    "array": "tensor.",
    "inputs": "tensor.",
    "images": "tensor (height, width, channels) or (batch, height, width, channels).",
    "axis": "int or tuple of ints: what it goes over.",
    "axis1": "int.",
    "axis2": "int.",
    "keepdims": "bool: the axes that it goes over stay, with size 1.",
    "initial": "number: what is least (max) or greatest (min) in any case; None: nothing.",
    "dtype": "of the result; None: that of the operands, or of floats.",
    "shape": "tuple of ints.",
    "fill_value": "number or tensor: the elements.",
    "indices_or_sections": "int: how many equal parts; or list of ints: where parts begin, but the first.",
    "endpoint": "bool: whether the last number is stop itself.",
    "equal_nan": "bool: whether NaN equals NaN.",
    "source": "int or tuple of ints: the axes that move.",
    "destination": "int or tuple of ints: where to.",
    "data_format": '`"channels_last"` or `"channels_first"`; None: `config.image_data_format()`.',
    "strides": "int or tuple of ints, one per spatial axis; None: the size of the window.",
    "padding": '`"valid"` (none) or `"same"` (the output has the size of the input, divided by the strides).',
    "dilation_rate": "int or tuple of ints: how far apart the kernel's elements are taken.",
    "output_padding": "int or tuple of ints: what is added to one side of the output; None: as the strides need it.",
}


def describe(function):
    """Adds to the docstring the arguments that it does not mention and that have a meaning in common."""
    text = inspect.cleandoc(function.__doc__ or "")
    parameters = inspect.signature(function).parameters.values()
    unsaid = [p for p in parameters if p.name in _MEANINGS and not re.search(rf"\b{p.name}\b", text)]
    if text and unsaid and len(parameters) > 1:
        function.__doc__ = _with_arguments(text, [f"    {p.name}: {_MEANINGS[p.name]}{_default(p)}" for p in unsaid])
    return function


def _default(parameter):
    if parameter.default is parameter.empty:
        return ""
    all_axes = ": all axes" if parameter.name == "axis" and parameter.default is None else ""
    return f" Default {parameter.default!r}{all_axes}."


def _with_arguments(text, lines):
    """The text with lines at the end of its section of arguments, which is made where there is none."""
    paragraphs = text.split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        if paragraph.startswith("Args:"):
            paragraphs[i] = "\n".join([paragraph, *lines])
            return "\n\n".join(paragraphs)
    paragraphs.insert(1, "\n".join(["Args:", *lines]))
    return "\n\n".join(paragraphs)
