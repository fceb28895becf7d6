"""KerasFileEditor and ExportArchive."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import _core, layers, ops
from dlcore.saving import KerasFileEditor


def make_model(units=4, name="hidden"):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((3,)), layers.Dense(units, name=name), layers.Dense(2, name="out")])


@pytest.fixture
def path(tmp_path):
    make_model().save_weights(tmp_path / "model.weights.h5")
    return tmp_path / "model.weights.h5"


def test_summary_and_comparison(path, capsys):
    editor = KerasFileEditor(path)
    editor.summary()
    out = capsys.readouterr().out
    assert "0: shape=(3, 4), dtype=float32" in out and "('hidden')" in out
    assert editor.compare(make_model()) == {"status": "success", "error_count": 0, "match_count": 4}
    result = editor.compare(make_model(units=5))
    assert result["status"] == "error" and result["error_count"] == 3 and result["match_count"] == 1
    assert "has shape (3, 4) in the file, (3, 5) in the model" in capsys.readouterr().out


def test_edit_and_save(path, tmp_path):
    editor = KerasFileEditor(path)
    kernel = np.ones((3, 6), "float32")
    editor.delete_weight("dense", "1")
    editor.add_weights("layers/dense", {"0": kernel, "1": np.zeros(6, "float32")})
    editor.delete_object("layers/dense_1")
    editor.add_object("layers/dense_1", {"0": np.ones((6, 2), "float32"), "1": np.ones(2, "float32")})
    editor.save(tmp_path / "new.weights.h5")
    model = make_model(units=6)
    model.load_weights(tmp_path / "new.weights.h5")
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kernel)
    np.testing.assert_array_equal(model.predict(np.zeros((1, 3)), verbose=0), np.ones((1, 2)))
    editor = KerasFileEditor(tmp_path / "new.weights.h5")
    editor.rename_object("layers/dense_1", "last")
    assert list(editor.weights_dict["layers"]) == ["dense", "last"]
    editor.resave_weights(tmp_path / "renamed.weights.h5")
    assert "last" in KerasFileEditor(tmp_path / "renamed.weights.h5").weights_dict["layers"]


def test_keras_files(tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    editor = KerasFileEditor(tmp_path / "model.keras")
    assert editor.config["class_name"] == "Sequential" and "keras_version" in editor.metadata
    editor.save(tmp_path / "model.weights.h5")
    other = make_model()
    other.set_weights([w * 0 for w in other.get_weights()])
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda e: e.delete_object("lays/dense"), "no object 'lays/dense'.*layers/dense"),
        (lambda e: e.delete_object("0"), "occurs 2 times"),
        (lambda e: e.rename_object("dense", "a/b"), "without a path"),
        (lambda e: e.delete_weight("dense", "7"), r"no weight '7'. It has \['0', '1'\]"),
        (lambda e: e.add_object("other/dense", {}), "no object 'other'"),
        (lambda e: e.add_weights("dense", [1]), "must be a dict"),
        (lambda e: e.save("model.h5"), "must end in .weights.h5"),
        (lambda e: KerasFileEditor("model.h5"), "reads .keras and .weights.h5"),
    ],
)
def test_errors(path, call, message):
    with pytest.raises(ValueError, match=message):
        call(KerasFileEditor(path))


def test_export_archive(tmp_path, capsys):
    model = make_model()
    scale = keras.Variable(3.0, name="scale")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track_and_add_endpoint("predict", model, training=False)
    archive.add_endpoint(
        "scaled_sum",
        lambda a, b: {"sum": ops.sum(a + b, axis=-1) * scale},
        input_signature=[layers.InputSpec(shape=(None, 3), dtype="float32")] * 2,
    )
    archive.add_variable_collection("weights", model.trainable_variables)
    archive.write_out(tmp_path / "model.dlcore")
    assert "predict, scaled_sum, weights" in capsys.readouterr().out
    native = _core.NativeModel.load(str(tmp_path / "model.dlcore"))
    assert sorted(native.functions()) == ["predict", "scaled_sum", "weights"]
    for rows in (1, 5):
        x = np.random.RandomState(rows).rand(rows, 3).astype("float32")
        (y,) = native.run("predict", [_core.tensor(x)])
        np.testing.assert_allclose(y.numpy(), model.predict(x, verbose=0), rtol=1e-6)
        (total,) = native.run("scaled_sum", [_core.tensor(x), _core.tensor(x)])
        np.testing.assert_allclose(total.numpy(), 6 * x.sum(axis=1), rtol=1e-5)
    for value, weight in zip(native.run("weights", []), model.get_weights()):
        np.testing.assert_array_equal(value.numpy(), weight)


def test_export_archive_errors():
    archive = keras.export.ExportArchive()
    with pytest.raises(ValueError, match="no function yet"):
        archive.write_out("x")
    with pytest.raises(ValueError, match="not known: .* Pass input_signature"):
        archive.add_endpoint("f", lambda x: x)
    archive.add_endpoint("f", make_model())
    with pytest.raises(ValueError, match="'f' already"):
        archive.add_endpoint("f", make_model())
    with pytest.raises(ValueError, match='format="dlcore"'):
        keras.export.ExportArchive(format="saved_model")
