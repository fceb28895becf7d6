"""Where each layer's and optimizer's numbers lie in a weights file, as Keras lays them out.

The file mirrors the attributes that hold layers: a functional model's second Dense layer is at `layers/dense_1`, a
custom model's `self.encoder` at `encoder`, a Bidirectional's forward LSTM cell at `forward_layer/cell`. In each place,
`vars` holds the variables by number. A layer reachable in two ways is stored at the first, attributes in name order.
"""

import functools
import warnings

from dlcore.backend import to_snake_case


def saveables(root, objects_to_skip=()):
    """Lists (paths, object) of the layers and optimizers below a model, in the file's order.

    The first path is where the object is stored; the others lead to it too, and files of other versions may use them.
    """
    skipped = {id(obj): ([], obj) for obj in objects_to_skip}
    found = dict(skipped)
    _visit(root, "", found)
    return [entry for key, entry in found.items() if key not in skipped]


def _visit(obj, path, found):
    if id(obj) in found:
        found[id(obj)][0].append(path)
        return
    found[id(obj)] = ([path], obj)
    for name, child in _children(obj):
        child_path = f"{path}/{name}" if path else name
        if _is_saveable(child):
            _visit(child, child_path, found)
        elif isinstance(child, (list, tuple, dict)):
            _visit_container(child, child_path, found, ())


def _visit_container(container, path, found, outer):
    """Items of a container are named by their class, dense, dense_1, ..., or container, container_1, ..."""
    if any(container is other for other in outer):  # it contains itself
        return
    counts = {}
    for item in container.values() if isinstance(container, dict) else container:
        is_container = isinstance(item, (list, tuple, dict))
        if not (is_container or _is_saveable(item)):
            continue
        name = "container" if is_container else to_snake_case(type(item).__name__)
        count = counts.get(name, 0)
        counts[name] = count + 1
        item_path = f"{path}/{name}_{count}" if count else f"{path}/{name}"
        if is_container:
            _visit_container(item, item_path, found, (*outer, container))
        else:
            _visit(item, item_path, found)


def _children(obj):
    """(attribute, value) of a layer in name order, those with an underscore last; what every layer has is left out."""
    if not _is_layer(obj):
        return
    if _is_graph(obj):
        yield "layers", obj.layers
    for name in sorted(dir(obj), key=lambda name: f"~{name}" if name.startswith("_") else name):
        if name.startswith("__") or name in _common_attributes() or (_is_graph(obj) and name in _GRAPH_ATTRIBUTES):
            continue
        try:
            yield name, getattr(obj, name)
        except Exception:  # noqa: BLE001, S112 - a property that fails holds no layer
            continue


_GRAPH_ATTRIBUTES = ("operations", "_operations", "_functional", "_sequence")


@functools.cache
def _common_attributes():
    from dlcore.layers import Layer

    return frozenset(dir(Layer(name="layer")))


def _is_saveable(obj):
    return _is_layer(obj) or _is_optimizer(obj)


def _is_layer(obj):
    from dlcore.layers import Layer

    return isinstance(obj, Layer)


def _is_optimizer(obj):
    from dlcore.optimizers import Optimizer

    return isinstance(obj, Optimizer)


def _is_graph(obj):
    """Whether the layers of a model are those in its graph or list, whatever its attributes."""
    from dlcore.models import Functional, Sequential

    return isinstance(obj, (Functional, Sequential))


def own_variables(obj):
    """The variables of a layer itself (not of those inside it) or of an optimizer, in the file's order."""
    if _is_optimizer(obj):
        return list(obj.variables)
    return obj._own_variables


def collect(root, objects_to_skip=()):
    """Lists (path, name, {key: array}) of all state below a model."""
    collected = []
    for (path, *_), obj in saveables(root, objects_to_skip):
        store = {}
        if _overrides(obj, "save_own_variables"):
            obj.save_own_variables(store)
        else:
            store = {str(i): variable for i, variable in enumerate(own_variables(obj))}
        collected.append((path, getattr(obj, "name", None), store))
    return collected


def restore(root, find, path, skip_mismatch=False, objects_to_skip=()):
    """Puts stored state into a model; all of it is checked before the first variable changes.

    Args:
        root: the model.
        find: function from a place in the file to {key: hdf5.Array}.
        path: of the file, for messages.
        skip_mismatch: whether what does not fit is left as it is, with a warning.
        objects_to_skip: layers that are left as they are, with all in them that is only reached through them.
    """
    assignments, hooks, problems, notes = [], [], [], []
    for places, obj in saveables(root, objects_to_skip):
        place = next(filter(find, places), places[0])
        stored = find(place)
        if _overrides(obj, "load_own_variables"):
            hooks.append((obj, stored))
            continue
        variables = own_variables(obj)
        if _is_optimizer(obj) and 0 < len(stored) <= 2:
            variables = variables[: len(stored)]  # saved before its first step: iterations and learning rate
        problem = _match(obj, variables, stored, assignments)
        if problem and _is_optimizer(obj):
            notes.append(f"{path}: the optimizer starts afresh: {problem}.")
        elif problem:
            problems.append(f'layer "{obj.name}" (at {place or "the top"}): {problem}')
    report(problems, path, skip_mismatch)
    for note in notes:
        warnings.warn(note, stacklevel=3)
    values = [(variable, array.read()) for variable, array in assignments]
    for variable, value in values:
        variable.assign(value)
    for obj, stored in hooks:
        obj.load_own_variables({key: array.read() for key, array in stored.items()})


def report(problems, path, skip_mismatch):
    """One error (or warning) for all that does not fit."""
    if not problems:
        return
    shown = "\n  ".join(problems[:8] + ([f"... and {len(problems) - 8} more"] if len(problems) > 8 else []))
    if skip_mismatch:
        warnings.warn(f"{path}: not loaded, because it does not fit the model:\n  {shown}", stacklevel=4)
        return
    raise ValueError(
        f"{path} does not fit the model; no weight was changed:\n  {shown}\n"
        "Build the model as it was saved, or pass skip_mismatch=True to load what fits."
    )


def _match(obj, variables, stored, assignments):
    """Appends (variable, array) pairs; returns what does not fit, or None."""
    if len(stored) != len(variables):
        hint = " (it is not built; call the model on data first)" if not variables and stored else ""
        return f"it has {len(variables)} variables{hint}, the file {len(stored)}"
    pairs = []
    for i, variable in enumerate(variables):
        problem = mismatch(variable, stored.get(str(i)))
        if problem:
            return problem
        pairs.append((variable, stored[str(i)]))
    assignments.extend(pairs)
    return None


def mismatch(variable, array):
    """What is wrong with an array for a variable, or None."""
    if array is None:
        return f'"{variable.name}" is not in the file'
    if tuple(array.shape) != tuple(variable.shape):
        return f'"{variable.name}" has shape {tuple(variable.shape)}, in the file {tuple(array.shape)}'
    return None


def _overrides(obj, method):
    """Whether the layer stores its state in its own way."""
    from dlcore.layers import Layer
    from dlcore.layers.lora import LowRankAdapter

    own = getattr(type(obj), method, None)
    if own is getattr(LowRankAdapter, method):
        return obj.lora_enabled
    return own is not None and _is_layer(obj) and own is not getattr(Layer, method, None)
