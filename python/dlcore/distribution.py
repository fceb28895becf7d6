"""Where tensors lie: names of devices, meshes of them, and layouts. One process computes on one device; several that
MPI starts train a model together, with `initialize()` and `set_distribution(DataParallel())`.

Meshes and layouts of any size can be described, e.g. to check a plan for another machine; a distribution can be set if
its mesh has only devices that are here.
"""

import contextlib
import re
import warnings
from collections.abc import MutableMapping

import numpy as np

from dlcore import _core
from dlcore.backend.global_state import get_global_attribute, set_global_attribute
from dlcore.training.processes import start, started


def list_devices(device_type=None):
    """The names of the devices of a type, e.g. `["cpu:0"]` or `["gpu:0"]`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`, default None: the type that is computed on.
    """
    computing = _core.current_device().partition(":")[0]
    kind = (device_type or computing).lower()
    if started() is not None and kind == computing:
        return [f"{kind}:{rank}" for rank in range(started().size)]
    return [name for name, _ in _core.devices() if name.partition(":")[0] == kind]


def get_device_count(device_type=None):
    """The number of devices of a type, default that which is computed on."""
    return len(list_devices(device_type))


def initialize(job_addresses=None, num_processes=None, process_id=None):
    """Makes the processes that `mpiexec -n N python program.py` has started known to each other; then `list_devices()`
    has one device of each. Without mpiexec there is one process, number 0.

    Args:
        job_addresses: kept for Keras's signature: MPI knows them.
        num_processes, process_id: checked, where they are given.

    Raises:
        ValueError: there are other processes than said.
        ImportError: mpi4py is missing.
    """
    group = start(num_processes, process_id)
    addresses = [a for a in (job_addresses or "").split(",") if a]
    if group is None and ((num_processes or 1) > 1 or len(addresses) > 1 or process_id):
        raise ValueError(
            f"This is one process. Got job_addresses={job_addresses!r}, num_processes={num_processes}, "
            f"process_id={process_id}. Start several with: mpiexec -n {num_processes or len(addresses)} python ..."
        )
    gpus = _core.devices()[1:]
    if group is not None and gpus and _core.current_device().startswith("gpu"):
        _core.Place(gpus[group.local_rank % len(gpus)][0]).__enter__()


class DeviceMesh:
    """Devices in a grid with named axes.

    Args:
        shape: tuple of ints.
        axis_names: list of names, one per axis.
        devices: list of names of devices, default `list_devices()`.

    Raises:
        ValueError: the number of names or devices does not fit the shape.
    """

    def __init__(self, shape, axis_names, devices=None):
        if not shape or not axis_names:
            raise ValueError(f"DeviceMesh: shape and axis_names must not be empty. Got {shape!r} and {axis_names!r}.")
        if len(shape) != len(axis_names):
            raise ValueError(f"DeviceMesh: {len(shape)} axes need as many names. Got axis_names={axis_names}.")
        devices = np.array(list_devices() if devices is None else devices).flatten()
        if np.prod(shape) != devices.size:
            raise ValueError(f"DeviceMesh: shape {tuple(shape)} takes {np.prod(shape)} devices. Got {devices.size}.")
        self._shape, self._axis_names = tuple(shape), list(axis_names)
        self._devices = devices.reshape(shape)

    @property
    def shape(self):
        """Tuple of ints."""
        return self._shape

    @property
    def axis_names(self):
        """List of the names of the axes."""
        return self._axis_names

    @property
    def devices(self):
        """Array of names."""
        return self._devices

    def __repr__(self):
        return f"<DeviceMesh shape={self.shape}, axis_names={self.axis_names}>"


class TensorLayout:
    """Along which axes of a mesh each axis of a tensor is split.

    Args:
        axes: tuple of names of the mesh's axes, None for axes that stay whole.
        device_mesh: `DeviceMesh`, default None: set later.
    """

    def __init__(self, axes, device_mesh=None):
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check()

    def _check(self):
        names = [] if self._device_mesh is None else self._device_mesh.axis_names
        unknown = [axis for axis in self._axes if axis is not None and axis not in names]
        if unknown and self._device_mesh is not None:
            raise ValueError(f"TensorLayout: {unknown} are none of the mesh's axes {names}.")

    @property
    def axes(self):
        """Tuple of names of the mesh's axes, None where an axis is not split."""
        return self._axes

    @property
    def device_mesh(self):
        """The DeviceMesh."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh):
        if self._device_mesh is not None:
            raise ValueError(f"The layout has a mesh already: {self._device_mesh}.")
        self._device_mesh = device_mesh
        self._check()

    def __repr__(self):
        return f"<TensorLayout axes={self.axes}, device_mesh={self.device_mesh}>"


class LayoutMap(MutableMapping):
    """Layouts by the paths of variables: a path, or a regular expression for it -> layout, or its tuple of axes.

    Args:
        device_mesh: `DeviceMesh` of layouts that have none.
    """

    def __init__(self, device_mesh):
        self._device_mesh = device_mesh
        self._layouts = {}

    @property
    def device_mesh(self):
        return self._device_mesh

    def __getitem__(self, key):
        """The layout for a path; None when there is none."""
        if key in self._layouts:
            return self._layouts[key]
        found = [pattern for pattern in self._layouts if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(f"The path {key!r} matches several layouts: {found}. Make the patterns differ.")
        return self._layouts[found[0]] if found else None

    def __setitem__(self, key, layout):
        if key in self._layouts:
            raise ValueError(f"{key!r} has the layout {self._layouts[key]} already. Delete it first.")
        layout = TensorLayout(layout) if isinstance(layout, tuple) else layout
        if not isinstance(layout, TensorLayout):
            raise ValueError(f"LayoutMap: expected a TensorLayout or a tuple of axes. Got {layout!r}.")
        if layout.device_mesh is None and self.device_mesh is not None:
            layout.device_mesh = self.device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key):
        del self._layouts[key]

    def __len__(self):
        return len(self._layouts)

    def __iter__(self):
        return iter(self._layouts)


class _Distribution:
    """A plan of which layouts data and variables have."""

    def __init__(self, device_mesh, batch_dim_name, auto_shard_dataset):
        self._device_mesh = device_mesh
        self._batch_dim_name = batch_dim_name
        self.auto_shard_dataset = auto_shard_dataset

    @property
    def num_processes(self):
        return 1 if started() is None else started().size

    @property
    def data_shard_id(self):
        """The number of this process."""
        return 0 if started() is None else started().rank

    @property
    def device_mesh(self):
        return self._device_mesh

    @property
    def batch_dim_name(self):
        return self._batch_dim_name

    @contextlib.contextmanager
    def scope(self):
        """`with distribution.scope():` sets it for the block."""
        outer = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(outer)

    def get_data_layout(self, data_shape):
        """The layout of a batch: split along its first axis."""
        return TensorLayout([self.batch_dim_name, *[None] * (len(data_shape) - 1)], self.device_mesh)

    def get_variable_layout(self, variable):
        """The layout of a variable: whole on every device unless said otherwise."""
        return self.get_tensor_layout(variable.path) or TensorLayout([None] * len(variable.shape), self.device_mesh)

    def get_tensor_layout(self, path):
        """The layout given for a path, or None."""
        return None

    def distribute_dataset(self, dataset):
        """The part of a data set for this process: all of it."""
        return dataset

    def __repr__(self):
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


class DataParallel(_Distribution):
    """Each device has all variables and a part of each batch.

    With several processes (`initialize`), each has one device. `fit` and `evaluate` on arrays give each process its
    part of every batch; other sources are taken as they are, so each process brings its own. Gradients are averaged by
    the optimizer, metrics are over all rows, and before training all take the weights of process 0.

    Args:
        device_mesh: `DeviceMesh` with one axis, default of all devices.
        devices: list of names of devices instead.
        auto_shard_dataset: kept for Keras's signature.
    """

    def __init__(self, device_mesh=None, devices=None, auto_shard_dataset=True):
        if device_mesh is None:
            devices = np.array(devices or list_devices())
            device_mesh = DeviceMesh(devices.shape, ["batch"], devices)
        if not isinstance(device_mesh, DeviceMesh):
            raise ValueError(f"DataParallel: device_mesh must be a DeviceMesh. Got {device_mesh!r}.")
        if device_mesh.devices.ndim != 1:
            warnings.warn("DataParallel splits along the first axis of the mesh, which has several.", stacklevel=2)
        super().__init__(device_mesh, device_mesh.axis_names[0], auto_shard_dataset)

    @property
    def num_model_replicas(self):
        return self.device_mesh.devices.size


class ModelParallel(_Distribution):
    """Variables are split over the devices as a `LayoutMap` says, batches along an axis of the mesh.

    Args:
        layout_map: `LayoutMap`.
        batch_dim_name: name of that axis, default the mesh's first.
        auto_shard_dataset: kept for Keras's signature.
    """

    def __init__(self, *, layout_map=None, batch_dim_name=None, auto_shard_dataset=True):
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(f"ModelParallel: layout_map must be a LayoutMap. Got {layout_map!r}.")
        mesh = layout_map.device_mesh
        super().__init__(mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset)
        self._layout_map = layout_map

    @property
    def num_model_replicas(self):
        return self.device_mesh.shape[self.device_mesh.axis_names.index(self.batch_dim_name)]

    def get_tensor_layout(self, path):
        return self._layout_map[path]


def distribution():
    """The distribution that is set, or None."""
    return get_global_attribute("distribution")


def set_distribution(value):
    """Sets the distribution, or None.

    Raises:
        ValueError: its mesh has devices that are not here, or processes can't train with it.
    """
    from dlcore.layers.holder import note_structure_change

    if value is not None:
        _check_devices(value.device_mesh)
        if started() is not None and not isinstance(value, DataParallel):
            raise ValueError(f"Several processes train together with DataParallel only. Got {value!r}.")
    set_global_attribute("distribution", value)
    note_structure_change()  # programs that were traced before don't communicate


def distribute_tensor(tensor, layout):
    """The tensor laid out over a mesh: on the one device that is here, as it is.

    Args:
        tensor: tensor.
        layout: `TensorLayout` or None.
    """
    if layout is not None and layout.device_mesh is not None:
        _check_devices(layout.device_mesh)
    return tensor


def _check_devices(mesh):
    missing = sorted(set(mesh.devices.flatten().tolist()) - set(list_devices()))
    if missing:
        raise ValueError(f"The mesh has the devices {missing}, but here there are {list_devices()}.")


def device(device_name):
    """`with device("gpu"):` computes on a device: eager ops run there, and models called or fitted meanwhile.

    Args:
        device_name: `"cpu"`, `"gpu"` (the first), or one of `list_devices()`.

    Raises:
        ValueError: there is no such device; the message says what to install.
    """
    return _core.Place(str(device_name).lower())


__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
