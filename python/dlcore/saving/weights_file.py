"""`.weights.h5`: the weights of a model, and its optimizer's state, in Keras's layout (see state.py)."""

import io

from dlcore.saving import hdf5, state


def save_to(model, file):
    """Writes the weights to a binary file object."""
    h5py = hdf5.import_h5py()
    buffer = io.BytesIO()  # HDF5 seeks; and a full disk then fails in our own write, not inside the HDF5 library
    with h5py.File(buffer, "w") as root:
        for place, name, store in state.collect(model):
            group = root.create_group(f"{place}/vars" if place else "vars")
            if name:
                group.attrs["name"] = name
            for key, value in store.items():
                hdf5.write_array(group, key, value)
    file.write(buffer.getbuffer())


def load_from(model, source, path, skip_mismatch=False):
    """Reads the weights from `source`, a path or a binary file object; `path` is for messages."""
    with hdf5.reading(source, path) as root:

        def find(place):
            group = hdf5.group(root, f"{place}/vars" if place else "vars", path)
            return {} if group is None else {key: hdf5.array(group, key, path) for key in group}

        state.restore(model, find, path, skip_mismatch)
