"""A student that learns from its teacher. Values are compared with Keras's in test_tools_golden.py."""

import numpy as np
import pytest
import tools_cases as cases

import dlcore as keras
from dlcore import layers
from dlcore.distillation import DistillationLoss, Distiller, FeatureDistillation, LogitsDistillation


def make_model(units=4, inputs=3, dtype=None):
    return keras.Sequential([keras.Input((inputs,), dtype=dtype), layers.Dense(5, name="hidden"), layers.Dense(units)])


def test_only_the_student_learns():
    distiller, x, y = cases.distiller(keras)
    teacher, student = distiller.teacher.get_weights(), distiller.student.get_weights()
    history = distiller.fit(x, y, epochs=60, verbose=0).history
    assert history["total_loss"][-1] < 0.9 * history["total_loss"][0]
    assert {"loss", "accuracy", "student_loss", "distillation_loss", "total_loss"} <= set(history)
    for weight, value in zip(distiller.teacher.get_weights(), teacher):
        np.testing.assert_array_equal(weight, value)
    assert all((weight != value).any() for weight, value in zip(distiller.student.get_weights(), student))
    results = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert results["total_loss"] == pytest.approx(results["loss"], rel=1e-5)
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), distiller.student.predict(x, verbose=0))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_weights_of_both_losses(weight):
    distiller, x, y = cases.distiller(keras, student_loss_weight=weight)
    history = distiller.fit(x, y, verbose=0).history
    part = "student_loss" if weight else "distillation_loss"
    assert history["total_loss"] == pytest.approx(history[part])


def test_save(tmp_path):
    distiller, x, y = cases.distiller(keras)
    distiller.fit(x, y, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), distiller.predict(x, verbose=0))
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(
        distiller.evaluate(x, y, verbose=0, return_dict=True)
    )
    for loss, other in zip(loaded.distillation_losses, distiller.distillation_losses):
        assert loss.get_config() == other.get_config()


def test_configurations():
    loss = LogitsDistillation(2.5, loss={"a": "mse", "b": None})
    back = LogitsDistillation.from_config(loss.get_config())
    assert back.get_config() == loss.get_config() and back.temperature == 2.5 and back.loss["b"] is None


def test_logits_are_made_probabilities_for_the_name_too():
    losses = [LogitsDistillation(2.0, loss) for loss in ("kl_divergence", keras.losses.KLDivergence())]
    values = [float(loss.compute_loss(*cases.LOGITS[:2])) for loss in losses]
    teacher, student = (np.exp(x / 2) / np.exp(x / 2).sum(axis=1, keepdims=True) for x in cases.LOGITS[:2])
    expected = 4 * (teacher * np.log(teacher / student)).sum(axis=1).mean()
    assert values == pytest.approx([expected] * 2, rel=1e-4)


def test_own_loss():
    class Twice(DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return keras.ops.mean(teacher_outputs - student_outputs, axis=0)

    distiller = Distiller(make_model(), make_model(), Twice())
    distiller.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"must return a scalar. It returned shape \(4,\)"):
        distiller.fit(np.ones((2, 3)), np.ones((2, 4)), verbose=0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Distiller(make_model(), "student", LogitsDistillation()), "student must be a Model"),
        (lambda: Distiller(make_model(4), make_model(5), LogitsDistillation()), "outputs of teacher and student"),
        (lambda: Distiller(make_model(), make_model(inputs=2), LogitsDistillation()), "inputs of teacher and student"),
        (
            lambda: Distiller(make_model(), make_model(), LogitsDistillation(), student_loss_weight=2),
            r"lie in \[0, 1\]",
        ),
        (lambda: Distiller(make_model(), make_model(), None), "Got None"),
        (
            lambda: Distiller(make_model(), make_model(), [LogitsDistillation()], [1, 2]),
            "got 2 distillation_loss_weights",
        ),
        (
            lambda: Distiller(make_model(), make_model(), FeatureDistillation("mse", "hiden")),
            "In the teacher: .*hidden",
        ),
        (lambda: LogitsDistillation(temperature=0), "temperature must be a number > 0"),
        (lambda: FeatureDistillation(loss=[None, None]), "at least one loss"),
        (lambda: Distiller(make_model(), make_model(), LogitsDistillation()).compile("sgd"), "needs `loss`"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
