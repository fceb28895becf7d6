"""Files of models that are refused: damaged, cut off, of another kind, or too large. Nothing is loaded by half."""

import json
import os
import re
import resource
import warnings
import zipfile

import numpy as np
import pytest
from small_models import assert_same_weights, small_model, trained, weights_of

import dlcore as keras
from dlcore import layers
from dlcore.saving import deserialize_keras_object, load_model, serialize_keras_object

h5py = pytest.importorskip("h5py")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"class_name": ["Dense"]}, "names its class and module"),
        ({"module": []}, "names its class and module"),
        ({"config": {"units": 2, "dtype": {"class_name": "DTypePolicy"}}}, "Dense cannot be made.*'config'"),
        ({"config": {"units": 2, "dtype": ["float32"]}}, "Dense cannot be made|dtype"),
        ({"build_config": True}, "expected a dict of the shapes"),
    ],
)
def test_configurations_with_parts_of_the_wrong_kind(damage, message):
    config = serialize_keras_object(layers.Dense(2))
    with pytest.raises(ValueError, match=message):
        deserialize_keras_object(config | damage)


def write_keras(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_lambda_deep_in_a_model_is_refused(tmp_path):
    function = {"class_name": "__lambda__", "config": {"value": {"code": "4wEAAAA=", "defaults": None}}}
    inner = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": function}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
    write_keras(tmp_path / "model.keras", {"config.json": json.dumps(config)})
    for safe_mode in (True, False):
        with pytest.raises(ValueError, match="runs no code from files"):
            load_model(tmp_path / "model.keras", safe_mode=safe_mode)


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_cut_off_and_damaged_files(tmp_path, ending):
    path = tmp_path / f"model{ending}"
    model = trained(small_model())
    model.save_weights(path) if ending == ".weights.h5" else model.save(path)
    before = weights_of(model)
    content = path.read_bytes()
    for length in (0, 10, 1000, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="model.*(damaged or cut off|is not a .keras file|fit)"):
            model.load_weights(path) if ending == ".weights.h5" else load_model(path)
    rng = np.random.default_rng(0)
    for _ in range(40):  # a changed byte is an error or changes a number, never a crash
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.load_weights(path) if ending == ".weights.h5" else load_model(path)
        except (ValueError, ImportError) as error:
            assert str(error)
        else:
            model.set_weights(before)
    assert_same_weights(model, before)


def test_files_of_another_kind(tmp_path):
    for kind in (FileNotFoundError, ValueError):
        with pytest.raises(kind, match=r"no file .*missing\.keras"):
            load_model(tmp_path / "missing.keras")
    write_keras(tmp_path / "model.keras", {"readme": "x"})
    with pytest.raises(ValueError, match=r"has no config.json, only \['readme'\]"):
        load_model(tmp_path / "model.keras")
    write_keras(tmp_path / "model.keras", {"config.json": "[" * 100000})
    with pytest.raises(ValueError, match="not valid JSON"):
        load_model(tmp_path / "model.keras")
    write_keras(tmp_path / "model.keras", {"config.json": "{}"})
    with pytest.raises(ValueError, match="does not describe a model"):
        load_model(tmp_path / "model.keras")
    dense = serialize_keras_object(keras.losses.MeanSquaredError())
    write_keras(tmp_path / "model.keras", {"config.json": json.dumps(dense)})
    with pytest.raises(ValueError, match="describes a MeanSquaredError, not a model"):
        load_model(tmp_path / "model.keras")
    small_model().save_weights(tmp_path / "w.weights.h5")
    os.rename(tmp_path / "w.weights.h5", tmp_path / "model.h5")
    with pytest.raises(ValueError, match="holds weights but no model"):
        load_model(tmp_path / "model.h5")
    (tmp_path / "model.pt").write_bytes(b"")
    for action in (load_model, small_model().save, small_model().save_weights):
        with pytest.raises(ValueError, match="must end in"):
            action(tmp_path / "model.pt")


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    path, whole = tmp_path / "model.weights.h5", tmp_path / "model.h5"
    trained(small_model()).save_weights(path)
    trained(small_model()).save(whole)
    other = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(3, name="wide")])
    before = weights_of(other)
    for file in (path, whole):
        with pytest.raises(ValueError, match=r'"wide".*"kernel" has shape \(5, 3\), in the file \(5, 2\)'):
            other.load_weights(file)
        assert_same_weights(other, before)
    with pytest.warns(UserWarning, match='not loaded, because it does not fit the model:\n.*"wide"'):
        other.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(other.layers[1].get_weights()[0], before[2])
    assert not np.array_equal(other.layers[0].get_weights()[0], before[0])
    deeper = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(2), layers.Dense(2)])
    with pytest.raises(ValueError, match="has 2 variables, the file 0"):
        deeper.load_weights(path)
    with pytest.raises(ValueError, match="3 layers have weights, in the file 2"):
        deeper.load_weights(whole)
    by_name = keras.Sequential([keras.Input((5,)), layers.Dense(2, name="second")])
    by_name.load_weights(whole, by_name=True)
    assert np.abs(by_name.get_weights()[0]).max() > 0


def test_shards_that_are_missing_or_elsewhere(tmp_path):
    model = small_model()
    path = tmp_path / "model.weights.json"
    model.save_weights(path, max_shard_size=1)
    before = [v.numpy() for v in model.variables]
    os.remove(tmp_path / "model_00000.weights.h5")
    with pytest.raises(FileNotFoundError, match="no file .*model_00000.weights.h5', a shard of .* Put it beside"):
        model.load_weights(path)
    for text, message in (
        ('{"weight_map": {"/layers/dense/vars": "../other.weights.h5"}}', "no file .weights.h5 in its folder"),
        ('{"weight_map": {"/layers/dense/vars": [3]}}', "no file .weights.h5 in its folder"),
        ('{"weight_map": 3}', "is no map of shards"),
        ("[", "is no map of shards"),
        ("[]", "is no map of shards"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            model.load_weights(path)
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize("kind", ["soft link", "external link", "external data", "virtual data", "text"])
def test_weights_files_that_point_elsewhere(tmp_path, kind):
    path = tmp_path / "model.weights.h5"
    model = small_model()
    model.save_weights(path)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones((4, 5), "float32")
    (tmp_path / "raw.bin").write_bytes(np.ones((4, 5), "float32").tobytes())
    with h5py.File(path, "a") as file:
        group = file["layers/dense/vars"]
        group.move("0", "old")
        if kind == "soft link":
            group["0"] = h5py.SoftLink("/layers/dense/vars/old")
        elif kind == "external link":
            group["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        elif kind == "external data":
            group.create_dataset("0", (4, 5), "float32", external=[(str(tmp_path / "raw.bin"), 0, 80)])
        elif kind == "virtual data":
            layout = h5py.VirtualLayout((4, 5), "float32")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (4, 5))
            group.create_virtual_dataset("0", layout)
        else:
            group["0"] = np.full((4, 5), b"text")
        del group["old"]
    before = weights_of(model)
    with pytest.raises(ValueError, match="not followed|another file|no numbers"):
        model.load_weights(path)
    assert_same_weights(model, before)


def test_sizes_that_a_model_cannot_need(tmp_path):
    path = tmp_path / "model.keras"
    small_model().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", bytes(1 << 27))
    with pytest.raises(ValueError, match="model.weights.h5 declares 134217728 bytes, more than"):
        load_model(path)
    with h5py.File(tmp_path / "huge.weights.h5", "w") as file:  # declares a terabyte, stores nothing
        file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 18), "float32", chunks=True, fillvalue=1)
    with pytest.raises(ValueError, match=r"fit the model"):
        small_model().load_weights(tmp_path / "huge.weights.h5")


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_full_disk_leaves_the_old_file(tmp_path, ending):
    model = trained(small_model())
    path = tmp_path / f"model{ending}"
    save = model.save_weights if ending == ".weights.h5" else model.save
    save(path)
    old = path.read_bytes()
    trained(model)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # writes beyond this fail as on a full disk
    try:
        with pytest.raises(OSError, match=re.escape(str(path))):
            save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old and os.listdir(tmp_path) == [path.name]
    save(path)
    assert path.read_bytes() != old
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(path, overwrite=False)
