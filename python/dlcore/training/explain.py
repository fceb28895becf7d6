"""explain: what runs for a step of a model, and where the time goes."""

from dlcore.training.data import make_batch

_STEPS = ("train", "test", "predict")


def explain(model, x, y=None, sample_weight=None, step="predict", runs=10):
    """The kernels of one step in their order, one a line.

    Time, share and rate, then shapes, arguments, kernel, bytes, and the layer, loss or metric that it is part of.

    Args:
        model: a model; a compiled one for the steps `"train"` and `"test"`.
        x, y, sample_weight: one batch of arrays, as `fit` takes them.
        step: `"train"`, `"test"` or `"predict"` (default).
        runs: int, default 10: how often the step runs for the times; with 0 there are no times. The model is as before
            afterwards.

    Returns:
        str.

    Raises:
        ValueError: the step is unknown, runs is negative, or the model is not compiled for the step.
    """
    if step not in _STEPS:
        raise ValueError(f"explain: step must be one of {', '.join(map(repr, _STEPS))}. Received: step={step!r}")
    if runs < 0:
        raise ValueError(f"explain: runs must be 0 or more. Received: runs={runs}")
    if step != "predict":
        model._check_compiled("explain")
    batch = make_batch(model._prepared(x), y, sample_weight)
    step_program, arrays = model._step_programs(step).with_arrays(batch)
    program = step_program.program
    if not runs:
        return program.dump()
    variables = _state_of(model)
    before = [variable.numpy() for variable in variables]
    program.set_profiling(True)
    try:
        for _ in range(runs):
            program.run_batches(arrays)
        return program.dump()
    finally:
        program.set_profiling(False)
        for variable, value in zip(variables, before):
            variable.assign(value)


def _state_of(model):
    """All that a step may change."""
    optimizer = [] if model.optimizer is None else model.optimizer.variables
    found = {id(v): v for v in (*model.variables, *model.metrics_variables, *optimizer)}
    return list(found.values())
