"""Models for native apps: the prediction as a graph with its variables, in one file that `dlcore::Model` reads."""

import os

from dlcore import _core
from dlcore.export import add_function, signature_of


def export_model(model, filepath, format="dlcore", input_signature=None):
    """Writes the function `predict` (the model called with training=False) and its variables.

    Args:
        model: a built model.
        filepath: where to; the file is replaced as a whole or not at all.
        format: "dlcore".
        input_signature: the inputs of a subclassed model, in its own structure: objects with shape (None for sizes that
            are free) and dtype, such as `Input(...)` or `InputSpec(...)`. Sequential and functional models know theirs.

    Raises:
        ValueError: the format is unknown, or the inputs are.
        TypeError: the model takes strings.
    """
    if format != "dlcore":
        raise ValueError(f"export writes format='dlcore', which C++ apps read. Received: format={format!r}")
    if model._functional is not None and model._functional._front is not None:
        raise TypeError(
            f"{model._label()} takes strings or looks at values in Python, which no app without Python can. Export the "
            "part of the model behind them: Model(what the lookup returns, model.output)."
        )
    signature = signature_of(model) if input_signature is None else [input_signature]
    native = _core.NativeModel()
    names = list(getattr(model, "output_names", None) or [])

    def predict(inputs):
        return model(inputs, training=False)

    add_function(native, "predict", predict, signature, names, model.compute_dtype)
    native.save(os.fspath(filepath))
