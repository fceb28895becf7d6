"""Training in 8-bit floats: products of inputs, weight and gradients that are rounded to what such floats hold.

The numbers stay of the compute dtype; scales, found from the largest values of the last steps, bring them into the
range of the 8-bit type. Reference: Micikevicius et al. 2022.
"""

import weakref

from dlcore import ops
from dlcore.backend.variables import recording
from dlcore.ops.gradients import with_gradient
from dlcore.ops.operation import operation
from dlcore.quantizers.form import Form

# name -> (largest value, exponent of the least normal one, bits of the mantissa)
_TYPES = {"float8_e4m3fn": (448.0, -6, 3), "float8_e5m2": (57344.0, -14, 2)}


def _type(dtype):
    if dtype not in _TYPES:
        raise ValueError(f"quantized_dtype must be one of {', '.join(_TYPES)}. Got {dtype!r}.")
    return _TYPES[dtype]


def compute_float8_scale(amax, scale, dtype_max, margin=0):
    """The scale that brings values up to amax into the range of a type: amax * 2^margin / dtype_max.

    Args:
        amax: float32, the largest absolute value; where it is 0 or not finite, the scale stays as it is.
        scale: float32 of amax's shape: the scale so far.
        dtype_max: float: the type's largest value.
        margin: int, default 0: powers of two left free above amax.
    """
    amax = ops.convert_to_tensor(amax)
    found = 1.0 / (dtype_max / amax / 2**margin)
    return ops.where(ops.logical_and(amax > 0, ops.isfinite(amax)), found, scale)


def compute_float8_amax_history(x, amax_history):
    """The history one step on: rolled by one place, and max |x| at index 0.

    Args:
        x: floats.
        amax_history: float32 (length,), the largest absolute values of the last steps.
    """
    x, history = ops.convert_to_tensor(x), ops.convert_to_tensor(amax_history)
    amax = ops.reshape(ops.cast(ops.max(ops.abs(x)), history.dtype), (1,))
    return ops.concatenate([amax, ops.roll(history, -1)[1:]])


@operation
def quantize_and_dequantize(inputs, scale, quantized_dtype, compute_dtype):
    """scale * (inputs / scale, rounded to the nearest 8-bit float); gradients pass through.

    Values beyond the type's largest become that, halfway cases go to the even neighbour, NaN stays NaN.

    Args:
        inputs: floats.
        scale: scalar float.
        quantized_dtype: `"float8_e4m3fn"` (up to 448, 4 significant bits) or `"float8_e5m2"` (57344, 3 bits).
        compute_dtype: dtype of the division, the product and the result.
    """
    x = ops.cast(inputs, compute_dtype)
    rounded = _rounded(x, scale, quantized_dtype, compute_dtype)
    return with_gradient([rounded], [x], lambda inputs, outputs, gradients: gradients)[0]


def _rounded(x, scale, dtype, compute_dtype):
    scale = ops.cast(scale, compute_dtype)
    return ops.cast(_as_float8(x / scale, dtype), compute_dtype) * scale


def _as_float8(x, dtype):
    """The nearest 8-bit floats, in float32 or float64."""
    largest, least_exponent, bits = _type(dtype)
    wide, integers, mantissa = ("float64", "int64", 52) if x.dtype == "float64" else ("float32", "int32", 23)
    x = ops.clip(ops.cast(x, wide), -largest, largest)
    integer = ops.view(ops.abs(x), integers)
    power = ops.view(integer - ops.mod(integer, 1 << mantissa), wide)  # the mantissa cleared: 2^exponent
    spacing = ops.maximum(power, 2.0**least_exponent) * 2.0**-bits
    return ops.round(x / spacing) * spacing


class Float8(Form):
    """The weight is trained on in its dtype; in products it, the inputs and the output's gradient are rounded.

    Inputs and weight are rounded to e4m3, gradients, which need more range, to e5m2. Each has a scale and a history of
    largest values, which training overwrites.
    """

    parts = ("inputs", "kernel", "outputs_grad")

    @staticmethod
    def order(mode, weight, others):
        names = [f"{part}_{ending}" for part in Float8.parts for ending in ("scale", "amax_history")]
        return [weight, *others, *names]

    def build(self, shape):
        weight = self.layer.add_float_weight(shape)
        self._add_scales()
        return weight

    def replace(self, weight):
        self._add_scales()

    def take(self, weight, config):
        self.replace(weight)

    def _add_scales(self):
        layer = self.layer
        length = getattr(layer.dtype_policy, "amax_history_length", 1024)
        for part in self.parts:
            for ending, shape, initializer in (("scale", (), "ones"), ("amax_history", (length,), "zeros")):
                name = f"{part}_{ending}"
                variable = layer.add_weight(
                    shape, initializer, "float32", autocast=False, overwrite_with_gradient=True, name=name
                )
                setattr(layer, name, variable)

    def _state(self, part):
        return [getattr(self.layer, f"{part}_{ending}").value for ending in ("scale", "amax_history")]

    def _with_rounded_value(self, x, part, is_updated):
        call = self._call(part)

        def gradient(inputs, outputs, gradients):
            return [gradients[0], *(call.news(*inputs, "float8_e4m3fn") if is_updated else (None, None))]

        scale, history = self._state(part)
        rounded = _rounded(x, scale, "float8_e4m3fn", self.layer.compute_dtype)
        return with_gradient([rounded], [x, scale, history], gradient)[0]

    def _with_rounded_gradient(self, y):
        call = self._call("outputs_grad")

        def gradient(inputs, outputs, gradients):
            (_, scale, history), (dy,) = inputs, gradients
            rounded = _rounded(dy, scale, "float8_e5m2", self.layer.compute_dtype)
            return [rounded, *call.news(dy, scale, history, "float8_e5m2")]

        return with_gradient([y], [y, *self._state("outputs_grad")], gradient)[0]

    def _call(self, part):
        passes = _passes.setdefault(recording.tapes[0], {}) if recording.tapes else {}
        return _Call(passes.setdefault((id(self.layer), part), _Pass()))

    def weight(self):
        return ops.convert_to_tensor(self.variable)

    def product(self, multiply, inputs, axis, training):
        inputs = self._with_rounded_value(inputs, "inputs", training)
        weight = self._with_rounded_value(self.weight(), "kernel", training)
        return self._with_rounded_gradient(multiply(inputs, weight))

    def bias(self, bias):
        bias = ops.convert_to_tensor(bias)  # as 16-bit products would have it
        return ops.cast(ops.cast(bias, "bfloat16"), "float32") if bias.dtype == "float32" else bias


class _Pass:
    """One backward pass through the calls of a layer: what they have found so far."""

    amax = None
    calls = ()


class _Call:
    """A call of a layer: its part of the new scale and history, which are the sums over all calls."""

    def __init__(self, of):
        self._pass = of

    def news(self, x, scale, history, dtype):
        """The scale and history that come after those that x was rounded with, less what other calls have given."""
        if self in self._pass.calls:  # the next pass
            self._pass.amax, self._pass.calls = None, ()
        self._pass.calls += (self,)
        known, following = self._pass.amax, compute_float8_amax_history(x, history)
        if known is None:
            self._pass.amax = following[:1]
            return [compute_float8_scale(ops.max(history), scale, _type(dtype)[0]), following]
        self._pass.amax = ops.maximum(known, following[:1])
        return [None, ops.pad(self._pass.amax - known, [(0, history.shape[0] - 1)])]


# The first tape that records -> {(layer, part): _Pass}
_passes = weakref.WeakKeyDictionary()
