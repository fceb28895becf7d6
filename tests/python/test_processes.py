"""Processes that train together over MPI: as one process would with the same batches, and the same bits each time."""

import importlib.util
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import dlcore as keras

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason='needs mpiexec: pip install "dlcore[mpi]"'
)

PROGRAM = """
import sys
import numpy as np
import dlcore as keras
from dlcore import distribution, layers

distribution.initialize()
plan = distribution.DataParallel()
distribution.set_distribution(plan)
rank = plan.data_shard_id
keras.utils.set_random_seed(1 + rank)  # processes need not agree on it

def model_of(*more):
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), *more, layers.Dense(3)])

def compiled(model, optimizer):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model

rng = np.random.default_rng(0)
x, y = rng.normal(size=(52, 6)).astype("float32"), rng.integers(0, 3, 52)
results = {}

def keep(name, model, history):
    for i, w in enumerate(model.get_weights()):
        results[f"{name}/{i}"] = w
    for key, values in history.items():
        results[f"{name}/{key}"] = np.array(values)

if rank == 0:
    first = [rng.normal(size=s).astype("float32") for s in [(6, 8), (8,), (8, 3), (3,)]]
for name, optimizer in {"adam": "adam", "clipped": keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5),
                        "scaled": keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())}.items():
    model = compiled(model_of(), optimizer)
    if rank == 0:
        model.set_weights(first)
    # 52 rows in batches of 12: the last has 4. No shuffling, so that one process and two take the same batches.
    history = model.fit(x, y, batch_size=12, epochs=3, shuffle=False, validation_data=(x[:31], y[:31]), verbose=0)
    keep(name, model, history.history)
    results[f"{name}/evaluate"] = np.array(model.evaluate(x[:29], y[:29], batch_size=8, verbose=0))

model = compiled(model_of(layers.BatchNormalization(synchronized=True)), "sgd")
if rank == 0:
    model.layers[0].set_weights(first[:2])
    model.layers[-1].set_weights(first[2:])
history = model.fit(x, y, batch_size=12, epochs=3, shuffle=False, validation_data=(x[:31], y[:31]), verbose=0)
keep("synchronized", model, history.history)

model = compiled(model_of(), "adam")
if rank == 0:
    model.set_weights(first)
model.quantize("float8")
history = model.fit(x, y, batch_size=12, epochs=3, shuffle=False, verbose=0)
for i, layer in enumerate(model.layers):  # the losses of parts, and so the gradients of outputs, are on other scales
    for name in ("kernel", "bias", "inputs_scale", "inputs_amax_history", "kernel_scale", "kernel_amax_history"):
        results[f"float8/{i}/{name}"] = getattr(layer, name).numpy()

if plan.num_processes > 1:
    assert distribution.list_devices() == ["cpu:0", "cpu:1"] and plan.num_model_replicas == 2
    masks = layers.Dropout(0.5)
    model = compiled(model_of(masks), "sgd")
    keep("dropped", model, model.fit(x, y, batch_size=10, epochs=2, verbose=0).history)  # shuffled, alike in both
    results["dropped/seed"] = masks.seed_generator.state.numpy()[:1]
    try:
        model.fit(x, y, batch_size=5, verbose=0)
    except ValueError as error:
        assert "batches of 5 can't be divided among 2 processes" in str(error), error
    else:
        raise AssertionError("no error")
np.savez(f"{sys.argv[1]}/{rank}.npz", **results)
"""


def train(folder, processes):
    """What each process has got: a dict of arrays each."""
    folder.mkdir()
    program = folder / "program.py"
    program.write_text(PROGRAM)
    path = os.pathsep.join([os.path.dirname(os.path.dirname(keras.__file__)), os.environ.get("PYTHONPATH", "")])
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # Open MPI, in a container
    done = subprocess.run(
        [MPIEXEC, "-n", str(processes), sys.executable, "-W", "error", str(program), str(folder)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "DLCORE_DEVICE": "cpu", **as_root},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(processes)]


@needs_mpi
def test_two_processes_train_as_one(tmp_path):
    (one,) = train(tmp_path / "one", 1)
    two, other = train(tmp_path / "two", 2)
    again, _ = train(tmp_path / "again", 2)
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=2e-5, atol=1e-6, err_msg=name)
    for name in two:
        np.testing.assert_array_equal(two[name], again[name], err_msg=f"{name}, a second time")
        if name == "dropped/seed":
            assert two[name] != other[name]
        else:
            np.testing.assert_array_equal(two[name], other[name], err_msg=f"{name} of both processes")
