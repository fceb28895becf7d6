"""Pictures of models as graphs of their layers, with pydot and Graphviz."""

import html
import os

from dlcore import tree
from dlcore.models import Functional, Sequential
from dlcore.models.summary import class_name


def _import_pydot():
    try:
        import pydot
    except ImportError as error:
        raise ImportError("model_to_dot and plot_model need pydot: pip install pydot") from error
    return pydot


def model_to_dot(
    model,
    show_shapes=False,
    show_dtype=False,
    show_layer_names=True,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    subgraph=False,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
):
    """The graph of a model's layers as a `pydot.Dot`.

    Args:
        model: built model. A subclassed model is one box.
        show_shapes: bool, default False: shapes of inputs and outputs.
        show_dtype: bool, default False: dtypes of the outputs.
        show_layer_names: bool, default True: names beside the classes.
        rankdir: `"TB"` (default): downwards, or `"LR"`: to the right.
        expand_nested: bool, default False: models inside as frames with their layers.
        dpi: dots per inch, default 200.
        subgraph: bool, default False: a `pydot.Cluster` to put into another graph.
        show_layer_activations: bool, default False: names of activations.
        show_trainable: bool, default False: whether layers with weights are trainable.
        splines: Graphviz's name of the kind of lines, default `"ortho"`.

    Raises:
        ImportError: pydot is not installed.
        ValueError: the model is not built.
    """
    pydot = _import_pydot()
    if not model.built:
        raise ValueError(f"The model '{model.name}' is not built. Call build(input_shape), or call it on data, first.")
    if subgraph:
        dot = pydot.Cluster(graph_name=model.name, label=model.name, labeljust="l", style="dashed")
    else:
        dot = pydot.Dot(rankdir=rankdir, concentrate=True, dpi=dpi, splines=splines)
        dot.set_node_defaults(shape="plain", fontname="Helvetica")
    options = {
        "show_shapes": show_shapes,
        "show_dtype": show_dtype,
        "show_layer_names": show_layer_names,
        "show_layer_activations": show_layer_activations,
        "show_trainable": show_trainable,
    }
    for layer in _boxes(model):
        if expand_nested and _is_expandable(layer):
            dot.add_subgraph(model_to_dot(layer, expand_nested=True, subgraph=True, **options))
        else:
            dot.add_node(pydot.Node(str(id(layer)), label=_label(layer, **options)))
    drawn = set()
    for source, output, target, place in _connections(model):
        if expand_nested:
            source, target = _last_inside(source, output), _first_inside(target, place)
        if (id(source), id(target)) not in drawn:
            drawn.add((id(source), id(target)))
            dot.add_edge(pydot.Edge(str(id(source)), str(id(target)), penwidth=2))
    return dot


def _is_expandable(layer):
    return isinstance(layer, (Functional, Sequential))


def _boxes(model):
    """The layers to draw."""
    if isinstance(model, Sequential):
        return model.layers
    return model.operations if isinstance(model, Functional) else [model]


def _connections(model):
    """(source, number of its output, target, number of its input) of each line."""
    if isinstance(model, Sequential):
        return [(source, 0, target, 0) for source, target in zip(model.layers, model.layers[1:])]
    if not isinstance(model, Functional):
        return []
    return [
        (x.history[0], x.history[2], node.operation, place)
        for node in model._graph.nodes
        if not model._graph.is_source(node)
        for place, x in enumerate(node.inputs)
    ]


def _last_inside(layer, output):
    """The layer that makes an output of a model inside."""
    while _is_expandable(layer):
        layer, _, output = layer.outputs[output].history
    return layer


def _first_inside(layer, place):
    """The layer that takes an input of a model inside."""
    while _is_expandable(layer):
        if isinstance(layer, Sequential):
            layer, place = layer.layers[0], 0
        else:
            layer = layer.inputs[place].history[0]
            break
    return layer


def _label(layer, show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable):
    """A layer's box as an HTML table of Graphviz."""
    name, kind = html.escape(layer.name), class_name(layer)
    cells = []
    if show_shapes:
        if kind != "InputLayer":
            cells.append(("Input shape", _of_tensors(layer, "input", "shape")))
        cells.append(("Output shape", _of_tensors(layer, "output", "shape")))
    if show_dtype:
        cells.append(("Output dtype", _of_tensors(layer, "output", "dtype")))
    cells = [f'<td bgcolor="white">{what}: <b>{html.escape(value)}</b></td>' for what, value in cells]
    if show_trainable and getattr(layer, "weights", None):
        colour, text = ("forestgreen", "Trainable") if layer.trainable else ("firebrick", "Non-trainable")
        cells.append(f'<td bgcolor="{colour}"><font color="white"><b>{text}</b></font></td>')
    span = f'colspan="{max(1, len(cells))}"'
    title = f"<b>{name}</b> ({kind})" if show_layer_names else f"<b>{kind}</b>"
    rows = [f'<td {span} bgcolor="black"><font point-size="16" color="white">{title}</font></td>']
    activation = getattr(layer, "activation", None)
    if show_layer_activations and activation is not None:
        activation = getattr(activation, "name", None) or getattr(activation, "__name__", str(activation))
        rows.append(f'<td {span} bgcolor="white">Activation: <b>{html.escape(activation)}</b></td>')
    rows += ["".join(cells)] if cells else []
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="10">{body}</table>>'


def _of_tensors(layer, which, attribute):
    try:
        found = tree.map_structure(lambda x: getattr(x, attribute), getattr(layer, which))
    except (AttributeError, ValueError):  # never called on KerasTensors, or in several ways
        return "?"
    return str(found).replace("{", "").replace("}", "") if isinstance(found, dict) else str(found)


def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """Draws a model's layers into a file; the ending chooses the format, a dot file needs no Graphviz.

    Args:
        model: built model.
        to_file: path, default `"model.png"`.
        show_layer_names: bool, default False.
        Others as `model_to_dot`.

    Returns:
        in a notebook the picture, else None.

    Raises:
        ImportError: pydot or Graphviz is not installed.
    """
    if kwargs:
        raise ValueError(f"plot_model got unknown arguments {sorted(kwargs)}. Check their spelling.")
    dot = model_to_dot(
        model,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
    )
    path = os.fspath(to_file)
    kind = os.path.splitext(path)[1][1:] or "png"
    if kind == "dot":
        dot.write_raw(path)
        return None
    try:
        dot.write(path, format=kind)
    except OSError as error:
        if os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise ImportError(
                "plot_model needs the program `dot` of Graphviz: https://graphviz.org/download, or write a .dot file."
            ) from error
        raise
    return _notebook_picture(path) if kind != "pdf" else None


def _notebook_picture(path):
    try:
        from IPython import display
    except ImportError:
        return None
    return display.Image(filename=path)
