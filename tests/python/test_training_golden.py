"""Losses, metrics, optimizers and schedules against Keras."""

import pathlib

import numpy as np
import pytest
import training_cases as cases

import dlcore as keras
from dlcore import _core, losses, metrics, ops, optimizers

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_training.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def golden_steps():
    with np.load(GOLDEN / "keras_optimizers.npz") as file:
        return dict(file)


def close(got, expected, rtol=1e-5, atol=1e-6):
    np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
@pytest.mark.parametrize("name", cases.LOSSES)
def test_loss(name, reduction, golden):
    make, y_true, y_pred = cases.LOSSES[name]
    loss = make(keras, reduction=reduction)
    close(loss(y_true, y_pred), golden[f"loss/{name}/{reduction}"])
    if name not in cases.WHOLE_BATCH_LOSSES:
        close(loss(y_true, y_pred, sample_weight=cases.WEIGHTS), golden[f"loss/{name}/{reduction}/weighted"])


@pytest.mark.parametrize("name", cases.LOSSES)
def test_gradient_of_loss(name, golden):
    make, y_true, y_pred = cases.LOSSES[name]
    x = ops.convert_to_tensor(y_pred)
    with keras.GradientTape() as tape:
        tape.watch(x)
        loss = make(keras)(y_true, x)
    close(tape.gradient(loss, x), golden[f"loss/{name}/gradient"], atol=1e-5)


@pytest.mark.parametrize("name", cases.LOSSES)
def test_loss_config(name):
    loss = cases.LOSSES[name][0](keras, reduction="sum")
    copy = losses.deserialize(losses.serialize(loss))
    assert type(copy) is type(loss) and copy.get_config() == loss.get_config()
    assert copy.reduction == "sum"


@pytest.mark.parametrize("name", cases.METRICS)
def test_metric(name, golden):
    make, y_true, y_pred = cases.METRICS[name]
    metric = make(metrics)
    metric.update_state(y_true[:4], y_pred[:4])
    metric.update_state(y_true[4:], y_pred[4:])
    close(metric.result(), golden[f"metric/{name}"])
    metric.reset_state()
    metric.update_state(y_true, y_pred, sample_weight=cases.WEIGHTS)
    close(metric.result(), golden[f"metric/{name}/weighted"])


@pytest.mark.parametrize("name", cases.METRICS)
def test_metric_config(name):
    metric = cases.METRICS[name][0](metrics)
    copy = metrics.deserialize(metrics.serialize(metric))
    assert type(copy) is type(metric) and copy.get_config() == metric.get_config()


@pytest.mark.parametrize("name", cases.METRICS)
def test_metric_in_a_program(name, golden):
    """The state is updated by traced programs as by eager calls."""
    make, y_true, y_pred = cases.METRICS[name]
    metric = make(metrics)
    for rows in (slice(0, 4), slice(4, 6)):
        batch = [np.ascontiguousarray(a[rows]) for a in (y_true, y_pred)]
        with _core.Graph() as graph:
            inputs = [graph.input(a.shape, str(a.dtype), n) for a, n in zip(batch, ("y_true", "y_pred"))]
            metric.update_state(*inputs)
            program = graph.compile([])
        program.run([_core.tensor(a) for a in batch])
    close(metric.result(), golden[f"metric/{name}"])


def train(make, traced):
    optimizer = make(optimizers)
    variables = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(cases.START)]
    history = []
    if traced:
        optimizer.build(variables)
        with _core.Graph() as graph:
            inputs = [graph.input(w.shape, "float32", f"g{i}") for i, w in enumerate(cases.START)]
            optimizer.apply_gradients(list(zip(inputs, variables)))
            program = graph.compile([])
    for gradients in cases.GRADIENTS:
        if traced:
            program.run([_core.tensor(g) for g in gradients])
        else:
            optimizer.apply_gradients([(ops.convert_to_tensor(g), v) for g, v in zip(gradients, variables)])
        history.append([v.numpy() for v in variables])
    return optimizer, history


@pytest.mark.parametrize("traced", (False, True))
@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_optimizer(name, traced, golden_steps):
    optimizer, history = train(cases.OPTIMIZERS[name], traced)
    for i, values in enumerate(zip(*history)):
        close(np.stack(values), golden_steps[f"{name}/{i}"], rtol=2e-5, atol=2e-6)
    states = sorted(key for key in golden_steps if key.startswith(f"{name}/state/"))
    assert len(states) == len(optimizer.variables)
    for i, variable in enumerate(optimizer.variables):
        expected, atol = golden_steps[f"{name}/state/{i}"], 1e-6
        if not _core.current_device().startswith(
            "cpu"
        ):  # other roundings, and where large numbers cancel, theirs is what is left
            atol = max(atol, 2e-7 * np.abs(expected).max(initial=0))
        close(variable.numpy(), expected, atol=atol)


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_optimizer_config(name):
    optimizer = cases.OPTIMIZERS[name](optimizers)
    copy = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(copy) is type(optimizer) and copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_schedule(name, golden):
    schedule = cases.SCHEDULES[name](optimizers.schedules)
    copy = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert copy.get_config() == schedule.get_config()
    for made in (schedule, copy):
        close([float(made(step)) for step in cases.STEPS], golden[f"schedule/{name}"])
