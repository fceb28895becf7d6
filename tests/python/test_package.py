"""What importing the package gives and costs."""

import ast
import importlib
import json
import pathlib
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


@pytest.mark.parametrize("threads", [0, -1, "2", 1.5, None])
def test_numbers_of_threads_are_checked(threads):
    before = keras.num_threads()
    with pytest.raises(ValueError, match=f"set_num_threads: threads must be an int >= 1. Got threads={threads!r}"):
        keras.set_num_threads(threads)
    assert keras.num_threads() == before


def test_config(capsys):
    assert keras.config.floatx() == "float32" and keras.backend.epsilon() == 1e-7
    keras.show_config()
    assert "threads" in capsys.readouterr().out
    with pytest.raises(ValueError, match="float12"):
        keras.config.set_floatx("float12")
    with pytest.raises(ValueError, match="channels_middle"):
        keras.config.set_image_data_format("channels_middle")


def test_command_line(tmp_path):
    def dlcore(*arguments):
        return subprocess.run([sys.executable, "-m", "dlcore", *arguments], capture_output=True, text=True)

    assert dlcore("--version").stdout == f"dlcore {keras.__version__}\n"
    folder = tmp_path / "new" / "folder"
    assert dlcore("demo", "--epochs", "1", "--folder", str(folder)).returncode == 0
    assert sorted(path.suffix for path in folder.iterdir()) == [".keras", ".png", ".png"]
    for epochs in ("0", "-1", "many"):
        wrong = dlcore("demo", "--epochs", epochs)
        assert wrong.returncode == 2 and f"expected an int > 0, got '{epochs}'" in wrong.stderr


def test_stub_of_the_core_has_its_names():
    """Each function, class and public member of the compiled module is in `_core.pyi`, and the other way around."""
    code = (
        "import json; from dlcore import _core; shown = lambda names: [n for n in names if not n.startswith('_')];"
        "members = {name: shown(dir(value)) for name, value in vars(_core).items() if not name.startswith('__')};"
        "print(json.dumps(members))"
    )  # in a process in which dlcore.ops has attached nothing
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    members = json.loads(new)

    def names(body):
        assigned = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
        assigned += [node.target for node in body if isinstance(node, ast.AnnAssign)]
        defined = [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        return {target.id for target in assigned} | set(defined)

    stub = ast.parse((pathlib.Path(keras.__file__).parent / "_core.pyi").read_text())
    assert names(stub.body) - {"__version__"} == set(members)
    for node in stub.body:
        if isinstance(node, ast.ClassDef) and not node.bases:  # no exception
            described = {name for name in names(node.body) if not name.startswith("_")}
            assert described == set(members[node.name]), node.name


@pytest.mark.parametrize("package", [keras, keras.applications, keras.callbacks, keras.datasets, keras.utils])
def test_stubs_of_what_is_loaded_when_used(package):
    """Editors read in `__init__.pyi` which names the package has, and where they are from."""
    stub = ast.parse(pathlib.Path(package.__file__).with_suffix(".pyi").read_text())
    names = {"num_threads", "set_num_threads", "show_config", "version"} if package is keras else set()
    for node in (node for node in stub.body if isinstance(node, ast.ImportFrom)):
        for alias in (alias for alias in node.names if alias.asname):
            assert getattr(importlib.import_module(node.module), alias.name) is getattr(package, alias.asname)
            names.add(alias.asname)
    names |= {target.id for node in stub.body if isinstance(node, ast.Assign) for target in node.targets}
    assert names == set(getattr(package, "__all__", None) or dir(package))
