"""Callbacks, in training."""

import csv

import numpy as np
import pytest

import dlcore as keras
from dlcore import callbacks

X = np.random.RandomState(0).rand(64, 4).astype("float32")
Y = X.sum(axis=1)


class Scripted(callbacks.Callback):
    """Puts given numbers into the logs, in place of what the model makes."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        for name, series in self.values.items():
            logs[name] = series[epoch]


def make_model(metrics=()):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=list(metrics))
    return model


def fit(*chosen, epochs=10, model=None, **kwargs):
    model = model or make_model()
    return model.fit(X, Y, epochs=epochs, verbose=0, callbacks=list(chosen), batch_size=16, **kwargs)


def test_history():
    history = fit(epochs=3, validation_data=(X, Y))
    assert history.epoch == [0, 1, 2]
    assert set(history.history) == {"loss", "val_loss"} and len(history.history["loss"]) == 3


def test_early_stopping_stops_and_restores():
    script = Scripted(val_loss=[5, 4, 3, 3.5, 3.2, 3.1, 3.0, 1, 1, 1])
    stopping = callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    kernels = []
    model = make_model()
    record = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kernels.append(model.get_weights()[0]))
    history = fit(script, stopping, record, model=model)
    assert len(history.epoch) == 6 and stopping.stopped_epoch == 5 and stopping.best_epoch == 2
    np.testing.assert_array_equal(model.get_weights()[0], kernels[2])


@pytest.mark.parametrize(
    "arguments, epochs",
    [
        ({"min_delta": 0.6, "patience": 1}, 4),
        ({"baseline": 2.5, "patience": 2}, 5),
        ({"start_from_epoch": 5, "patience": 1}, 7),
        ({"mode": "max", "patience": 1}, 2),
    ],
)
def test_early_stopping_options(arguments, epochs):
    script = Scripted(val_loss=[5, 4, 3.3, 3.0, 3.2, 3.1, 3.3, 3.2, 3, 3])
    assert len(fit(script, callbacks.EarlyStopping(**arguments)).epoch) == epochs


def test_early_stopping_on_a_metric_that_should_grow():
    script = Scripted(val_accuracy=[0.1, 0.5, 0.4, 0.3, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert len(fit(script, callbacks.EarlyStopping("val_accuracy", patience=2)).epoch) == 4


def test_unclear_direction():
    script = Scripted(score=[1.0] * 10)
    with pytest.raises(ValueError, match='cannot tell whether "score" should be large or small.*mode="max"'):
        fit(script, callbacks.EarlyStopping("score"))


def test_missing_monitor_warns():
    for kind in (callbacks.EarlyStopping, callbacks.ReduceLROnPlateau):
        with pytest.raises(ValueError, match='watches "val_foo", which is not among the logs: loss'):
            fit(kind("val_foo"), epochs=1)
        with pytest.warns(UserWarning, match='watches "val_foo", which is not among the logs: loss'):
            fit(kind("val_foo", mode="min"), epochs=1)
    with pytest.warns(UserWarning, match='watches "val_loss", which is not among the logs: loss'):
        fit(callbacks.EarlyStopping(), epochs=1)


def test_reduce_lr_on_plateau():
    script = Scripted(val_loss=[5, 5, 5, 5, 5, 4, 4, 4, 4, 4])
    plateau = callbacks.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.004)
    history = fit(script, plateau)
    expected = [0.01] * 3 + [0.005] * 2 + [0.004] * 5
    np.testing.assert_allclose(history.history["learning_rate"], expected, rtol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_learning_rates_of_several_optimizers(scaled, capsys):
    first, second = keras.optimizers.SGD(0.1, name="first"), keras.optimizers.SGD(0.01, name="second")
    optimizer = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(first, {".*/bias": second}))
    model = make_model()
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer, "mse")
    halved = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5, verbose=1)
    history = fit(halved, epochs=2, model=model).history
    assert "setting first learning rate to 0.0" in capsys.readouterr().out
    np.testing.assert_allclose(history["learning_rate_first"], [0.05, 0.025], rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate_second"], [0.005, 0.0025], rtol=1e-6)
    reduced = callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_lr=0.002)
    history = fit(Scripted(val_loss=[1.0, 1.0, 1.0, 1.0]), reduced, epochs=4, model=model).history
    np.testing.assert_allclose(history["learning_rate_first"], [0.025, 0.025, 0.0125, 0.00625], rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate_second"], [0.0025, 0.0025, 0.002, 0.002], rtol=1e-6)


def test_learning_rate_scheduler(capsys):
    history = fit(callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5, verbose=1), epochs=3)
    assert "Epoch 2: LearningRateScheduler setting learning rate to 0.002" in capsys.readouterr().out
    np.testing.assert_allclose(history.history["learning_rate"], [0.005, 0.0025, 0.00125], rtol=1e-6)
    history = fit(callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), epochs=2)
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05], rtol=1e-6)
    with pytest.raises(ValueError, match="must return a float. Got 'fast'"):
        fit(callbacks.LearningRateScheduler(lambda epoch: "fast"))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    model = make_model()
    fit(callbacks.CSVLogger(path), epochs=2, model=model)
    fit(callbacks.CSVLogger(path, append=True), epochs=1, model=model)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["epoch", "loss", "val_loss"] and [row[0] for row in rows[1:]] == ["0", "1", "0"]
    assert float(rows[3][1]) < float(rows[1][1]) and [row[2] for row in rows[1:]] == ["NA"] * 3


def test_csv_logger_of_validation_now_and_then(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 3.0, "f1": np.array([0.5, 1.0])})
    logger.on_epoch_end(1, {"loss": 2.0, "f1": np.array([0.25, 1.0]), "val_loss": 4.0})
    logger.on_train_end()
    logger = callbacks.CSVLogger(path, append=True)
    logger.on_train_begin()
    logger.on_epoch_end(2, {"other": 1.0, "loss": 1.0})
    logger.on_train_end()
    assert list(csv.reader(path.read_text().splitlines())) == [
        ["epoch", "f1", "loss", "val_f1", "val_loss"],
        ["0", "[0.5, 1.0]", "3.0", "NA", "NA"],
        ["1", "[0.25, 1.0]", "2.0", "NA", "4.0"],
        ["2", "NA", "1.0", "NA", "NA"],
    ]


def test_model_checkpoint(tmp_path):
    script = Scripted(val_loss=[3.0, 2.0, 2.5])
    path = str(tmp_path / "sub" / "{epoch:02d}-{val_loss:.1f}.weights.h5")
    best = callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True)
    fit(script, best, epochs=3)
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == ["01-3.0.weights.h5", "02-2.0.weights.h5"]
    model = make_model()
    fit(callbacks.ModelCheckpoint(tmp_path / "model.keras"), epochs=1, model=model)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_model_checkpoint_within_an_epoch(tmp_path):
    path = str(tmp_path / "{epoch}-{batch}.weights.h5")
    fit(callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=3), epochs=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3.weights.h5", "2-2.weights.h5"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("model.txt",), "must end in .keras or .h5. Got filepath='model.txt'"),
        (("model.keras", "val_loss", 0, False, True), "must end in .weights.h5"),
        (("model.keras", "val_loss", 0, False, False, "auto", "day"), "save_freq='day'"),
    ],
)
def test_model_checkpoint_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.ModelCheckpoint(*arguments)


def test_checkpoints_say_what_they_save(tmp_path, capsys):
    path = str(tmp_path / "model.keras")
    saved = callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True, verbose=1)
    fit(Scripted(loss=[2.0, 3.0]), saved, epochs=2)
    assert capsys.readouterr().out.splitlines() == [
        "",
        f"Epoch 1: loss improved from None to 2.00000, saving model to {path}",
        "",
        f"Epoch 1: finished saving model to {path}",
        "",
        "Epoch 2: loss did not improve from 2.00000",
    ]


def test_terminate_on_nan(capsys):
    model = make_model()
    x = X.copy()
    x[3, 2] = np.nan
    history = model.fit(x, Y, epochs=5, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1 and "Invalid loss" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="The loss is nan"):
        make_model().fit(x, Y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_batch_hooks_are_called_for_every_batch():
    seen = []
    fit(callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"]))), epochs=2)
    assert [batch for batch, _ in seen] == [0, 1, 2, 3] * 2
    assert all(np.isfinite(loss) for _, loss in seen)


def test_order_of_calls():
    calls = []

    class Recorder(callbacks.Callback):
        pass

    hooks = [name for name in dir(callbacks.Callback) if name.startswith("on_") and "_batch_" not in name]
    for hook in hooks:
        setattr(Recorder, hook, lambda self, *args, hook=hook, **kwargs: calls.append(hook))
    fit(Recorder(), epochs=1, validation_data=(X, Y))
    assert calls == [
        "on_train_begin", "on_epoch_begin", "on_test_begin", "on_test_end", "on_epoch_end", "on_train_end",
    ]  # fmt: skip


def test_logs_are_a_dict_in_every_hook():
    logs_of = {}

    class Recorder(callbacks.Callback):
        pass

    def recorder(hook):
        return lambda self, *args, logs=None: logs_of.setdefault(hook, logs if logs is not None else args[-1])

    hooks = [name for name in dir(callbacks.Callback) if name.startswith("on_")]
    for hook in hooks:
        setattr(Recorder, hook, recorder(hook))
    model = fit(Recorder(), epochs=1, validation_data=(X, Y)).model
    model.predict(X, callbacks=[Recorder()], verbose=0)
    assert set(logs_of) == set(hooks) - {"on_batch_begin", "on_batch_end"}
    assert all(isinstance(logs, dict) for logs in logs_of.values())


def test_wrong_callbacks():
    with pytest.raises(TypeError, match="must be a list of Callback objects. Got 3"):
        fit(3)
    with pytest.raises(ValueError, match="no callback method 'on_epoch_finish'"):
        callbacks.LambdaCallback(on_epoch_finish=print)
    assert callbacks.LambdaCallback(last_loss=lambda: 3).last_loss() == 3


def test_progress(capsys):
    make_model(["mae"]).fit(X, Y, epochs=2, verbose=2, batch_size=16)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[1].startswith("4/4 - ") and "loss: " in lines[1] and "mae: " in lines[1]
    fit(epochs=1)
    assert capsys.readouterr().out == ""


def test_a_list_of_callbacks_in_a_loop_of_ones_own(capsys):
    called = []

    class Noting(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            called.append((epoch, self.params["epochs"]))

        def on_train_batch_end(self, batch, logs=None):
            called.append((batch, logs["loss"]))

    model = make_model()
    chosen = callbacks.CallbackList(
        [Noting(), callbacks.ProgbarLogger()], add_history=True, model=model, epochs=2, steps=1, verbose=2
    )
    chosen.on_train_begin()
    chosen.on_epoch_begin(0)
    chosen.on_train_batch_begin(0)
    chosen.on_train_batch_end(0, {"loss": 2.0})
    chosen.on_epoch_end(0, {"loss": 1.5})
    chosen.on_train_end()
    assert called == [(0, 2), (0, 2.0)]
    assert model.history.history == {"loss": [1.5]} and model.history.epoch == [0]
    assert model.history.params == {"epochs": 2, "steps": 1, "verbose": 2}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[1].startswith("1/1 - ") and lines[1].endswith("loss: 1.5000")


def test_a_subclass_that_compares_for_itself():
    class Patient(keras.callbacks.EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            current = self.get_monitor_value(logs)
            if self.best is None or self.monitor_op(current, self.best):
                self.best = current

    for monitor, expected in (("val_accuracy", 3.0), ("loss", 1.0)):
        callback = Patient(monitor=monitor)
        for value in (2.0, 3.0, 1.0):
            callback.on_epoch_end(0, {monitor: value})
        assert callback.best == expected
