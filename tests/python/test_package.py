"""What importing the package gives and costs."""

import subprocess
import sys

import pytest

import dlcore as keras

ALLOWED = {"dlcore", "numpy"}


def test_import_pulls_in_only_numpy_and_the_core():
    code = (
        "import sys; import numpy; before = set(sys.modules); import dlcore;"
        "print(*sorted(name for name in set(sys.modules) - before if '.' not in name))"
    )
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    standard = set(sys.stdlib_module_names)
    assert set(new) - standard <= ALLOWED
    code = "import sys, dlcore; print(*(m for m in sys.modules if m.startswith('dlcore.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["dlcore._core"]


def test_training_loads_no_more_than_it_needs():
    code = (
        "import sys, dlcore, numpy as np; model = dlcore.Sequential([dlcore.Input((2,)), dlcore.layers.Dense(1)]);"
        "model.compile(loss='mse'); model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0);"
        "print(*(m for m in ('urllib.request', 'ssl', 'tarfile', 'dlcore.callbacks.tensorboard') if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_namespaces_need_no_import_of_their_own():
    names = "utils.batches.Batches, utils.bounding_boxes.pad, datasets.digits.load_data, plotting.plot_history"
    code = f"import dlcore; {'; '.join('dlcore.' + name for name in names.split(', '))}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", keras.__all__)
def test_public_names(name):
    assert getattr(keras, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'layerz'"):
        keras.layerz  # noqa: B018


def test_config(capsys):
    assert keras.config.floatx() == "float32" and keras.backend.epsilon() == 1e-7
    keras.show_config()
    assert "threads" in capsys.readouterr().out
    with pytest.raises(ValueError, match="float12"):
        keras.config.set_floatx("float12")
    with pytest.raises(ValueError, match="channels_middle"):
        keras.config.set_image_data_format("channels_middle")
