"""Models for native apps: steps as graphs with their variables, in one file that `dlcore::Model` reads."""

import os

from dlcore import _core
from dlcore.export import add_function, signature_of


def export_model(model, filepath, format="dlcore", input_signature=None, target_signature=None):
    """Writes the function `predict` (the model called with training=False) and its variables.

    With targets also `train_step` and `test_step`, which take the inputs, then the targets, and return the logs: the
    running loss and metrics, in the order of their sorted names; and `reset_metrics`, which takes and returns nothing.

    Args:
        model: a built model.
        filepath: where to; the file is replaced as a whole or not at all.
        format: "dlcore".
        input_signature: the inputs of a subclassed model, in its own structure: objects with shape (None for sizes that
            are free) and dtype, such as `Input(...)` or `InputSpec(...)`. Sequential and functional models know theirs.
        target_signature: the same of the targets of a compiled model.

    Raises:
        ValueError: the format is unknown, or the inputs are, or there are targets and the model is not compiled.
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
    if target_signature is not None:
        model._check_compiled("export(target_signature)")
        signature = [*signature, target_signature]
        add_function(native, "train_step", lambda *data: model._logs_of(model.train_step, data), signature)
        add_function(native, "test_step", lambda *data: model._logs_of(model.test_step, data), signature)
        add_function(native, "reset_metrics", model.reset_metrics, [])
    native.save(os.fspath(filepath))
