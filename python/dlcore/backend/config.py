"""Package-wide defaults: the float type, the epsilon of divisions, the image layout."""

from dlcore import _core

_settings = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "flash_attention": True}
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def floatx():
    """The default float dtype, e.g. `"float32"`."""
    return _settings["floatx"]


def set_floatx(value):
    """Sets the default float dtype: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Raises:
        ValueError: it is none of these.
    """
    if value not in _FLOATS:
        raise ValueError(f"Unknown float dtype: {value!r}. Expected one of {', '.join(_FLOATS)}.")
    _settings["floatx"] = value


def epsilon():
    """The small number that keeps divisions and logarithms finite, 1e-7 by default."""
    return _settings["epsilon"]


def set_epsilon(value):
    """Sets the number that `epsilon()` returns."""
    _settings["epsilon"] = float(value)


def float32_precision():
    """How GPUs compute float32 products: `"highest"`, exact to float32, or `"tf32"`."""
    return "tf32" if _core.tf32() else "highest"


def set_float32_precision(value):
    """Sets how GPUs compute float32 matrix products and convolutions: `"highest"`, or `"tf32"`, which is several times
    as fast and rounds the factors to 10 bits of mantissa. Step functions are planned anew; the processor is exact.
    """
    if value not in ("highest", "tf32"):
        raise ValueError(f'Unknown precision: {value!r}. Expected "highest" or "tf32".')
    _core.set_tf32(value == "tf32")


def image_data_format():
    """`"channels_last"` or `"channels_first"`."""
    return _settings["image_data_format"]


def set_image_data_format(data_format):
    """Sets the layout that layers take when they are given none."""
    _settings["image_data_format"] = standardize_data_format(data_format)


def standardize_data_format(data_format):
    """The data format, or the default for None; a ValueError for anything else."""
    if data_format is None:
        return image_data_format()
    name = str(data_format).lower()
    if name not in ("channels_last", "channels_first"):
        raise ValueError(f'Unknown data_format: {data_format!r}. Expected "channels_last" or "channels_first".')
    return name


def backend():
    """The name of what computes: `"dlcore"`."""
    return "dlcore"


def set_backend(backend):
    """Only `"dlcore"` is possible: nothing else computes here."""
    if backend != "dlcore":
        raise ValueError(f'dlcore computes with its own core: set_backend takes "dlcore" only. Got {backend!r}.')


def is_nnx_enabled():
    """False: NNX belongs to Flax."""
    return False


_limits = {"max_epochs": None, "max_steps_per_epoch": None}


def _positive_or_none(name, value):
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{name} must be an int > 0 or None. Got {value!r}.")
    return value


def max_epochs():
    """The most epochs that any `fit` runs, or None: no limit."""
    return _limits["max_epochs"]


def set_max_epochs(max_epochs):
    """Limits the epochs of every `fit` from now on, e.g. to try a long program out; None lifts the limit."""
    _limits["max_epochs"] = _positive_or_none("max_epochs", max_epochs)


def max_steps_per_epoch():
    """The most batches of any epoch, evaluation or prediction, or None: no limit."""
    return _limits["max_steps_per_epoch"]


def set_max_steps_per_epoch(max_steps_per_epoch):
    """Limits the batches of every epoch, evaluation and prediction from now on; None lifts the limit."""
    _limits["max_steps_per_epoch"] = _positive_or_none("max_steps_per_epoch", max_steps_per_epoch)


def limited(number, limit):
    """The smaller one of two numbers; None is no limit."""
    return min((n for n in (number, limit) if n is not None), default=None)


def enable_flash_attention():
    """Allows fused attention where the core has it for the arguments, as by default."""
    _settings["flash_attention"] = True


def disable_flash_attention():
    """Attention is computed step by step."""
    _settings["flash_attention"] = False


def is_flash_attention_enabled():
    """Whether fused attention may be used."""
    return _settings["flash_attention"]
