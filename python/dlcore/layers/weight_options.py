"""The initializer, regularizer and constraint that layers take for each of their weights."""

from dlcore import constraints, initializers, regularizers

_KINDS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


def weight_options_of(arguments):
    """The options of weights among a constructor's arguments, its `locals()`; that of the activity is none of them."""
    return {
        name: value
        for name, value in arguments.items()
        if name.rpartition("_")[2] in _KINDS and name != "activity_regularizer"
    }


def set_weight_options(layer, **options):
    """Keeps options such as `kernel_initializer="zeros"` as objects, in attributes of the same names.

    Args:
        layer: the layer.
        options: `<weight>_initializer`, `<weight>_regularizer` and `<weight>_constraint` as the user gave them.
    """
    layer._weight_option_names = (*getattr(layer, "_weight_option_names", ()), *options)
    for name, value in options.items():
        setattr(layer, name, _KINDS[name.rsplit("_", 1)[1]].get(value))


def weight_options_config(layer):
    """The options kept by `set_weight_options`, as configurations."""
    return {name: _KINDS[name.rsplit("_", 1)[1]].serialize(getattr(layer, name)) for name in layer._weight_option_names}


def add_weight_with_options(layer, name, shape, options=None, **kwargs):
    """A new weight of the layer with the options `<options>_initializer` and so on; `options` defaults to `name`."""
    options = options or name
    kwargs.setdefault("initializer", getattr(layer, f"{options}_initializer"))
    return layer.add_weight(
        shape=shape,
        name=name,
        regularizer=getattr(layer, f"{options}_regularizer", None),
        constraint=getattr(layer, f"{options}_constraint", None),
        **kwargs,
    )
