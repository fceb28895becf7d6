"""Package-wide defaults: the float type, the epsilon of divisions, the image layout."""

_settings = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def floatx():
    """The default float dtype, e.g. `"float32"`."""
    return _settings["floatx"]


def set_floatx(value):
    """Sets the default float dtype: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`."""
    if value not in _FLOATS:
        raise ValueError(f"Unknown float dtype: {value!r}. Expected one of {', '.join(_FLOATS)}.")
    _settings["floatx"] = value


def epsilon():
    """The small number that keeps divisions and logarithms finite, 1e-7 by default."""
    return _settings["epsilon"]


def set_epsilon(value):
    """Sets the number that `epsilon()` returns."""
    _settings["epsilon"] = float(value)


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
