"""The table that `model.summary()` prints."""

import math
import re
import shutil

from dlcore.backend.names import to_camel_case
from dlcore.layers.layer import Layer

_BYTES = {"bool": 1, "uint8": 1, "int8": 1, "float16": 2, "bfloat16": 2, "int32": 4, "float32": 4}


def _centred(text, width):
    left = (width - len(text)) // 2
    return " " * left + text + " " * (width - len(text) - left)


# How the texts of columns are placed that do not begin at the left.
_PLACES = {"Param #": str.rjust, "Trainable": _centred}


def summary_text(model, line_length=None, expand_nested=False, show_trainable=False, layer_range=None, positions=None):
    """The summary as text."""
    connected = _is_connected(model)
    header = ["Layer (type)", "Output Shape", "Param #"] + (["Connected to"] if connected else [])
    if show_trainable:
        header.append("Trainable")
    rows = []
    for layer in _in_range(_operations(model), layer_range):
        rows += _rows(model, layer, 0, connected, show_trainable, expand_nested)
    widths = _widths(header, line_length, connected, show_trainable, positions)
    return f'Model: "{model.name}"\n{_table(header, rows, widths)}\n{_totals(model)}'


def _operations(model):
    return model.operations if hasattr(model, "operations") else model.layers


def _is_connected(model):
    """Whether the model is more than a chain, so that the table must say what is connected to what."""
    graph = getattr(model, "_graph", None)
    if graph is None:
        return False
    own_nodes = [node for node in graph.nodes]
    last_nodes = {(id(x.history[0]), x.history[1]) for x in model.outputs}
    if any(len(node.inputs) > 1 for node in own_nodes) or len(model.inputs) > 1 or len(last_nodes) > 1:
        return True
    operations = [node.operation for node in own_nodes]
    readers = [x.history[0] for node in own_nodes for x in node.inputs]
    return len(set(map(id, operations))) != len(operations) or len(set(map(id, readers))) != len(readers)


def _in_range(layers, layer_range):
    """The layers from the first to the last of two names (or patterns)."""
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"layer_range should be two names of layers. Received: layer_range={layer_range!r}")
    places = []
    for name in layer_range:
        found = [i for i, layer in enumerate(layers) if re.fullmatch(name, layer.name)]
        if not found:
            raise ValueError(f"layer_range: no layer is named {name!r}.")
        places.append(found)
    return layers[min(places[0]) : max(places[1]) + 1]


def _rows(model, layer, level, connected, show_trainable, expand_nested):
    prefix = "   " * level + "└ " if level else ""
    row = [f"{prefix}{layer.name} ({class_name(layer)})", _output_shape(layer), _params(layer)]
    if connected:
        row.append(_connections(model, layer) if not level else "-")
    if show_trainable:
        row.append(("Y" if layer.trainable else "N") if getattr(layer, "weights", None) else "-")
    rows = [row]
    if expand_nested:
        for inner in getattr(layer, "layers", []):
            rows += _rows(model, inner, level + 1, connected, show_trainable, expand_nested)
    return rows


def class_name(layer):
    """An ops function is shown as Keras's class of that name."""
    return type(layer).__name__ if isinstance(layer, Layer) else to_camel_case(layer.function.__name__)


def _output_shape(layer):
    if layer._inbound_nodes:
        outputs = layer._inbound_nodes[-1].outputs
        shapes = [str(x.shape) if len(x.shape) != 1 else f"({x.shape[0]})" for x in outputs]
        return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"
    if getattr(layer, "_functional", None) is not None:  # a model inside of one that is not a graph
        shape = layer.output_shape
        return str(tuple(shape.values() if isinstance(shape, dict) else shape))
    shapes = getattr(layer, "_build_shapes", None)
    if not shapes or len(shapes) != 1:
        return "?"
    try:
        shape = layer.compute_output_shape(next(iter(shapes.values())))
    except Exception:
        return "?"
    return str(shape)


def _params(layer):
    if not isinstance(layer, Layer):
        return "0"
    if layer.built:
        return f"{layer.count_params():,}"
    has_nothing_to_build = type(layer).build is Layer.build and not layer._layers
    return "0" if has_nothing_to_build else "0 (unbuilt)"


def _connections(model, layer):
    names = []
    for node in layer._inbound_nodes:
        if node in model._graph.node_set and not model._graph.is_source(node):
            for x in node.inputs:
                operation, index, position = x.history
                names.append(f"{operation.name}[{index}][{position}]")
    return ", ".join(names) or "-"


def _widths(header, line_length, connected, show_trainable, positions):
    """Widths of the columns, borders excluded, such that the table is line_length wide."""
    room = shutil.get_terminal_size().columns - 4
    total = line_length or min(108 if connected else 88, room)
    places = positions or ([0.3, 0.56, 0.74, 1.0] if connected else [0.45, 0.80, 1.0])
    if show_trainable and not positions:
        places = [p * 0.90 for p in places] + [1.0]
    edges = [0] + [int(p * total) for p in places]
    widths = [max(4, b - a) + 2 for a, b in zip(edges, edges[1:])]
    # What is too much, the borders included, is taken from all evenly, as in Keras's tables.
    excess = sum(widths) + len(header) + 1 - total
    for i, width in enumerate(widths):
        share = round(excess / (len(widths) - i))
        widths[i] = max(4, width - share)
        excess -= share
    return widths


def _table(header, rows, widths):
    place = [_PLACES.get(name, str.ljust) for name in header]
    lines = [_border("┏", "━", "┳", "┓", widths), *_lines(header, widths, place, "┃")]
    lines.append(_border("┡", "━", "╇", "┩", widths))
    for i, row in enumerate(rows):
        if i:
            lines.append(_border("├", "─", "┼", "┤", widths))
        lines += _lines(row, widths, place, "│")
    return "\n".join([*lines, _border("└", "─", "┴", "┘", widths)])


def _border(left, line, middle, right, widths):
    return left + middle.join(line * width for width in widths) + right


def _lines(cells, widths, place, bar):
    """The cells side by side, long ones over several lines."""
    parts = [_wrap(cell, width - 2) for cell, width in zip(cells, widths)]
    lines = []
    for i in range(max(map(len, parts))):
        texts = []
        for column, (part, width) in enumerate(zip(parts, widths)):
            texts.append(f" {place[column](part[i] if i < len(part) else '', width - 2)} ")
        lines.append(bar + bar.join(texts) + bar)
    return lines


def _wrap(text, width):
    """Lines of at most `width` characters, cut at spaces; words that are longer end in an ellipsis."""
    lines = []
    while len(text) > width:
        cut = text.rfind(" ", 1, width + 1)
        if cut < 0:
            cut = text.find(" ", 1)
        line, text = (text, "") if cut < 0 else (text[:cut], text[cut:].lstrip(" "))
        lines.append(line if len(line) <= width else line[: width - 1] + "…")
    return [*lines, text] if text or not lines else lines


def _totals(model):
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    state = optimizer.variables if optimizer is not None and optimizer.built else []
    lines = [
        _total("Total params", [*trainable, *frozen, *state]),
        _total("Trainable params", trainable),
        _total("Non-trainable params", frozen),
    ]
    if state:
        lines.append(_total("Optimizer params", state))
    return "\n".join(lines)


def _total(label, variables):
    count = sum(math.prod(v.shape) for v in variables)
    size = sum(math.prod(v.shape) * _BYTES.get(v.dtype, 8) for v in variables)
    return f" {label}: {count:,} ({_readable(size)})"


def _readable(size):
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TB"
