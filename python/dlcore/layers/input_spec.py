"""InputSpec: what a layer expects of its inputs, checked at every call."""

from dlcore import backend, tree
from dlcore.backend.arguments import ChecksArguments, sizes


class InputSpec(ChecksArguments):
    """Rank, dtype and sizes that an input must have; None means any.

    Args:
        dtype: name of the dtype.
        shape: the whole shape, None for any size.
        ndim: the number of axes.
        max_ndim, min_ndim: its bounds.
        axes: dict from axis to size.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or too many.
        name: the input's name, to find it in a dict of inputs.
        optional: whether None may be passed.
    """

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self.dtype = None if dtype is None else backend.standardize_dtype(dtype)
        self.shape = None if shape is None else sizes("InputSpec", "shape", shape)
        if axes is not None and not isinstance(axes, dict):
            raise ValueError(f"InputSpec: axes must be a dict from axis to size. Got axes={axes!r}.")
        self.ndim = ndim if shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        largest = self.ndim if self.ndim is not None else self.max_ndim
        if self.axes and largest is not None and max(self.axes) >= largest:
            raise ValueError(f"InputSpec: axis {max(self.axes)} is beyond the last of {largest} axes.")

    def get_config(self):
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        fields = {k: v for k, v in self.get_config().items() if v}
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in fields.items())})"


def assert_input_compatibility(input_spec, inputs, layer_name):
    """A ValueError that names the layer, the expected and the received shape when an input does not fit its spec."""
    specs = [input_spec] if isinstance(input_spec, InputSpec) else tree.flatten(input_spec)
    inputs = _in_order(specs, inputs, layer_name)
    if len(inputs) != len(specs):
        raise ValueError(
            f'Layer "{layer_name}" expects {len(specs)} input(s), but it received {len(inputs)} input tensors. '
            f"Inputs received: {_described(inputs)}. {_how_to_pass(specs, inputs)}"
        )
    for index, (x, spec) in enumerate(zip(inputs, specs)):
        if spec is None or (x is None and spec.optional):
            continue
        problem = _problem(x, spec)
        if problem:
            which = _label(index, spec, len(specs))
            raise ValueError(f'Layer "{layer_name}": input {which}is incompatible with the layer: {problem}')


def _described(inputs):
    """What stands for the inputs in a message: tensors by shape and dtype, and no more than eight."""
    shown = [f"{x.dtype}{tuple(x.shape)}" if hasattr(x, "shape") else repr(x)[:40] for x in inputs[:8]]
    return f"[{', '.join(shown)}{', ...' if len(inputs) > len(shown) else ''}]"


def _how_to_pass(specs, inputs):
    if any(isinstance(x, (bool, int, float, str)) for x in inputs):
        return "A list is not a tensor: make it an array, such as np.array(x)."
    if len(specs) == 1:
        return "Pass one of them, such as the first of several outputs, or join them, such as with Concatenate."
    return "Pass a list with a tensor for each input, or a dict by their names."


def _label(index, spec, count):
    if spec.name:
        return f"{index} with name '{spec.name}' "
    return f"{index} " if count > 1 else ""


def _in_order(specs, inputs, layer_name):
    names = [spec.name for spec in specs if spec is not None]
    if isinstance(inputs, dict) and len(names) == len(specs) and all(names):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(
                f'Layer "{layer_name}": missing data for input "{missing[0]}". Received a dict with keys '
                f"{list(inputs)}, expected the keys {names}."
            )
        return [inputs[name] for name in names]
    return tree.flatten(inputs)


def _problem(x, spec):
    """What does not fit and how to mend it, or None."""
    if not hasattr(x, "shape"):
        return f"it should be a tensor. Received: {x!r} (of type {type(x).__name__})"
    shape = tuple(x.shape)
    rank = len(shape)
    if spec.ndim is not None and rank != spec.ndim and not spec.allow_last_axis_squeeze:
        return _wrong_rank("ndim", spec.ndim, shape)
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return _wrong_rank("max_ndim", spec.max_ndim, shape)
    if spec.min_ndim is not None and rank < spec.min_ndim:
        return _wrong_rank("min_ndim", spec.min_ndim, shape)
    if spec.dtype is not None and backend.standardize_dtype(x.dtype) != spec.dtype:
        return f"expected dtype={spec.dtype}, found dtype={x.dtype}. Cast it: ops.cast(x, {spec.dtype!r})."
    for axis, size in spec.axes.items():
        if size is not None and shape[axis] not in (size, None):
            return (
                f"expected axis {axis} of the input shape to have size {size}, but received an input with shape "
                f"{shape}. Pass inputs of that size, or make a new layer for these."
            )
    if spec.shape is not None and not _fits(shape, spec):
        lacks_an_axis = rank + 1 == len(spec.shape)
        if rank == 1 or (lacks_an_axis and _fits((None, *shape), spec)):
            fix = _BATCH_OF_ONE
        else:
            change = _ADD_AN_AXIS if lacks_an_axis else "Reshape the data,"
            fix = f"{change} or begin the model with Input({shape[1:]})."
        return f"expected shape={spec.shape}, found shape={shape}. {fix}"
    return None


_BATCH_OF_ONE = "A batch of one example is x[None]."
_ADD_AN_AXIS = "Add an axis (x[None] makes a batch of one example, x[..., None] one channel or feature),"


def _wrong_rank(what, expected, shape):
    if len(shape) < expected:
        fix = "Add an axis: x[None] makes a batch of one example, x[..., None] one channel or feature."
    else:
        fix = "Join or drop axes, such as with the layers Flatten or Reshape."
    return f"expected {what}={expected}, found ndim={len(shape)}. Full shape received: {shape}. {fix}"


def _fits(shape, spec):
    if _agree(shape, spec.shape):
        return True
    # A last axis of size 1 may be missing, or be one too many.
    if not spec.allow_last_axis_squeeze:
        return False
    return (spec.shape[-1:] == (1,) and _agree(shape, spec.shape[:-1])) or (
        shape[-1:] == (1,) and _agree(shape[:-1], spec.shape)
    )


def _agree(shape, expected):
    return len(shape) == len(expected) and all(a is None or b is None or a == b for a, b in zip(shape, expected))
