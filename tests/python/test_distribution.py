"""Names of devices, meshes and layouts, on the one device there is."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import distribution as dist
from dlcore import layers


@pytest.fixture(autouse=True)
def on_the_processor():
    with keras.device("cpu"):
        yield


def test_devices():
    assert dist.list_devices() == dist.list_devices("CPU") == ["cpu:0"]
    assert dist.get_device_count() == 1 and dist.get_device_count("tpu") == 0
    dist.initialize("10.0.0.1:1234", num_processes=1, process_id=0)
    with pytest.raises(ValueError, match="This is one process.*mpiexec -n 2"):
        dist.initialize("10.0.0.1:1,10.0.0.2:1", num_processes=2, process_id=1)
    with keras.device("cpu:0"), keras.device("CPU"):
        keras.ops.ones(2)
    with pytest.raises(ValueError, match="no device 'gpu:77'. Devices: cpu:0"), keras.device("gpu:77"):
        pass


def test_mesh_and_layouts():
    mesh = dist.DeviceMesh((2, 2), ["batch", "model"], [f"gpu:{i}" for i in range(4)])
    assert mesh.shape == (2, 2) and mesh.devices.tolist() == [["gpu:0", "gpu:1"], ["gpu:2", "gpu:3"]]
    layouts = dist.LayoutMap(mesh)
    layouts[".*dense.*kernel"] = (None, "model")
    layouts["embedding"] = dist.TensorLayout(("model", None))
    assert layouts["model/dense_1/kernel"].axes == (None, "model") and layouts["else"] is None
    assert layouts["embedding"].device_mesh is mesh and len(layouts) == 2
    plan = dist.ModelParallel(layout_map=layouts, batch_dim_name="batch")
    assert plan.num_model_replicas == 2 and plan.get_data_layout((8, 3)).axes == ("batch", None)
    dense = layers.Dense(4, name="dense")
    dense.build((None, 3))
    assert plan.get_variable_layout(dense.kernel).axes == (None, "model")
    assert plan.get_variable_layout(dense.bias).axes == (None,)
    with pytest.raises(ValueError, match=r"devices \['gpu:0'.*here there are \['cpu:0'\]"):
        dist.set_distribution(plan)
    layouts[".*kernel"] = (None, None)
    with pytest.raises(ValueError, match="several layouts"):
        layouts["model/dense_1/kernel"]


def test_data_parallel_on_one_device():
    plan = dist.DataParallel()
    assert plan.num_model_replicas == 1 and plan.batch_dim_name == "batch" and plan.device_mesh.shape == (1,)
    data = [1, 2]
    assert plan.distribute_dataset(data) is data and plan.get_tensor_layout("x") is None
    assert dist.distribution() is None
    with plan.scope():
        assert dist.distribution() is plan
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    assert dist.distribution() is None
    x = keras.ops.ones((2, 2))
    assert dist.distribute_tensor(x, plan.get_data_layout(x.shape)) is x


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: dist.DeviceMesh((2,), ["batch"]), "takes 2 devices. Got 1"),
        (lambda: dist.DeviceMesh((1,), ["a", "b"]), "as many names"),
        (lambda: dist.DeviceMesh((), []), "must not be empty"),
        (lambda: dist.TensorLayout(("model",), dist.DeviceMesh((1,), ["batch"])), "none of the mesh's axes"),
        (lambda: dist.DataParallel("mesh"), "must be a DeviceMesh"),
        (lambda: dist.ModelParallel(), "must be a LayoutMap"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
