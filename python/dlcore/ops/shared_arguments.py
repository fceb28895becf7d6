"""What many functions share, said once and put into the docstrings: what arguments mean, of which dtype results are."""

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

# Functions that go over one axis, or over the elements in one row.
_ONE_AXIS = set(
    "argmax argmin argpartition argsort cumprod cumsum diff nanargmax nanargmin nancumprod nancumsum sparsemax".split()
)
# Of which dtype the results of functions are that is not the one in which the operands meet.
_RESULTS = {
    "Floats: of the operands' dtype, of `floatx()` for integers and bools.": (
        "adaptive_average_pool adaptive_max_pool angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh average "
        "average_pool binary_crossentropy categorical_crossentropy cbrt cdist ceil celu cholesky cholesky_inverse "
        "corrcoef correlate cos cosh deg2rad det divide divide_no_nan elu erf erfc erfinv exp exp2 expm1 fabs floor "
        "gelu glu hard_shrink hard_sigmoid hard_silu heaviside hypot i0 inv layer_normalization ldexp leaky_relu log "
        "log10 log1p log2 log_sigmoid log_softmax logaddexp logaddexp2 logdet logsumexp mean median nanmean "
        "nanmedian nanpercentile nanquantile nanstd nanvar nextafter norm normalize percentile pinv psnr quantile "
        "rad2deg reciprocal relu6 rms_normalization rsqrt selu sigmoid silu sin sinc sinh soft_shrink softmax "
        "softplus softsign sparse_plus sparse_sigmoid sparsemax sqrt squareplus std tan tanh tanh_shrink trapezoid "
        "var"
    ),
    "Bools.": (
        "all allclose any equal greater greater_equal isclose isfinite isin isinf isnan isneginf isposinf isreal less "
        "less_equal logical_and logical_not logical_or logical_xor not_equal signbit"
    ),
    "int32.": (
        "argmax argmin argpartition argsort bincount count_nonzero digitize matrix_rank nanargmax nanargmin "
        "searchsorted"
    ),
    "x's dtype, but int32 for bools and 8-bit integers.": "nanprod nansum prod sum trace",
    "The dtype in which the operands meet, but int32 for bools.": (
        "bitwise_left_shift bitwise_right_shift cumprod cumsum floor_divide fmod mod nancumprod nancumsum power relu "
        "square"
    ),
}
_RESULT_OF = {name: result for result, names in _RESULTS.items() for name in names.split()}


def describe(function):
    """Adds to the docstring the arguments that it does not mention and that have a meaning in common, and the dtype."""
    text = inspect.cleandoc(function.__doc__ or "")
    if not text:
        return function
    parameters = inspect.signature(function).parameters.values()
    unsaid = [p for p in parameters if p.name in _MEANINGS and not re.search(rf"\b{p.name}\b", text)]
    if unsaid and (len(parameters) > 1 or unsaid[0].name == "xs"):
        text = _with_arguments(text, [_argument(p, function.__name__ in _ONE_AXIS) for p in unsaid])
    if function.__name__ in _RESULT_OF:
        text = _with_result(text, _RESULT_OF[function.__name__])
    function.__doc__ = text
    return function


def _argument(parameter, one_axis):
    """The line of an argument."""
    meaning, default = _MEANINGS[parameter.name], ""
    if parameter.name == "axis" and one_axis:
        meaning = "int: what it goes over."
    if parameter.default is not parameter.empty:
        none = ": all elements in a row" if one_axis else ": all axes"
        default = (
            f" Default {parameter.default!r}{none if parameter.name == 'axis' and parameter.default is None else ''}."
        )
    return f"    {parameter.name}: {meaning}{default}"


def _with_arguments(text, lines):
    """The text with lines at the end of its section of arguments, which is made where there is none."""
    paragraphs = text.split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        if paragraph.startswith("Args:"):
            paragraphs[i] = "\n".join([paragraph, *lines])
            return "\n\n".join(paragraphs)
    paragraphs.insert(1, "\n".join(["Args:", *lines]))
    return "\n\n".join(paragraphs)


def _with_result(text, result):
    """The text with a section of what is returned, behind that of arguments or the first paragraph."""
    paragraphs = text.split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        if paragraph.startswith("Returns:\n"):
            paragraphs[i] = paragraph.replace("Returns:\n", f"Returns:\n    {result}\n")
            return "\n\n".join(paragraphs)
    behind = next((i for i, paragraph in enumerate(paragraphs) if paragraph.startswith("Args:")), 0)
    paragraphs.insert(behind + 1, f"Returns:\n    {result}")
    return "\n\n".join(paragraphs)
