"""What compile() makes of its arguments: losses and metrics for each output of a model."""

from dlcore import ops, tree
from dlcore.backend.names import to_snake_case
from dlcore.backend.tensors import convert_to_tensor
from dlcore.backend.tracebacks import calling, of_output
from dlcore.backend.variables import unrecorded


def _output_names(model, y_pred):
    """The names of the outputs, or None for a single one; and whether they have names, rather than numbers."""
    if isinstance(y_pred, dict):
        return list(y_pred), True
    if not isinstance(y_pred, (list, tuple)):
        return None, False
    names = [] if model._functional is None else model._functional.output_names
    if len(names) == len(y_pred) and len(set(names)) == len(names):
        return names, True
    return [f"output_{i}" for i in range(len(y_pred))], len(names) == len(y_pred)


def _as_list(structure, names, what, keys_required=False):
    """A value per output, of a list in the order of the outputs or a dict by their names."""
    if isinstance(structure, dict):
        unknown = [key for key in structure if key not in names]
        if unknown:
            from dlcore.registry import nearest_names

            raise ValueError(f"`{what}` names the output {unknown[0]!r}. {nearest_names(unknown[0], names)}")
        missing = [name for name in names if name not in structure]
        if keys_required and missing:
            raise ValueError(f"`{what}` lacks the output {missing[0]!r}; received the keys {list(structure)}.")
        return [structure.get(name) for name in names]
    if not isinstance(structure, (list, tuple)):
        return [structure] * len(names) if len(names) == 1 else _mismatch(structure, names, what)
    if len(structure) != len(names):
        _mismatch(structure, names, what)
    return list(structure)


def _mismatch(structure, names, what):
    count = len(structure) if isinstance(structure, (list, tuple)) else 1
    raise ValueError(
        f"`{what}` has {count} entries, but the model has {len(names)} output{'s' * (len(names) != 1)}: {names}. "
        "Pass a list with one entry per output, or a dict by their names."
    )


def _kind_of_labels(y_true, y_pred):
    """ "binary", "sparse" or "categorical", by the shapes."""
    true, predicted = tuple(y_true.shape), tuple(y_pred.shape)
    if not predicted or predicted[-1] == 1:
        return "binary"
    is_sparse = len(true) < len(predicted) or (len(true) == len(predicted) and true[-1] == 1)
    return "sparse" if is_sparse else "categorical"


_ACCURACIES = {
    "binary": "BinaryAccuracy",
    "sparse": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}
_CROSSENTROPIES = {
    "binary": "BinaryCrossentropy",
    "sparse": "SparseCategoricalCrossentropy",
    "categorical": "CategoricalCrossentropy",
}


def get_metric(identifier, y_true, y_pred):
    """A Metric for a name, function, configuration or Metric; "accuracy" depends on the shapes."""
    from dlcore import metrics

    if identifier is None or isinstance(identifier, metrics.Metric):
        return identifier
    classes = None
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        classes = _ACCURACIES
    elif isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        classes = _CROSSENTROPIES
    if classes is not None:
        return getattr(metrics, classes[_kind_of_labels(y_true, y_pred)])(name=identifier)
    found = metrics.get(identifier)
    if isinstance(found, metrics.Metric):
        if isinstance(identifier, str):
            found.name = identifier
        return found
    name = getattr(found, "__name__", type(found).__name__)
    return metrics.MeanMetricWrapper(found, name=identifier if isinstance(identifier, str) else to_snake_case(name))


def results_of(metrics):
    """dict of name -> value of all metrics, some of which may have several."""
    results = {}
    for metric in metrics:
        result = metric.result()
        results.update(result if isinstance(result, dict) else {metric.name: result})
    return results


class CompiledMetrics:
    """The metrics given to compile(); made when the first outputs are seen, for then their shapes are known.

    A step may use them as one metric of all outputs.
    """

    name = "compile_metrics"

    def __init__(self, metrics, weighted_metrics, model):
        for what, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value is not None and not isinstance(value, (list, tuple, dict)):
                raise ValueError(f"`{what}` should be a list or a dict. Got {what}={value!r}; pass {what}=[{value!r}].")
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._model = model
        self._entries = None  # (metric, number of the output, whether it is weighted)
        self._check_names()

    def _check_names(self):
        """Unknown names are found in compile(), not in the middle of fit()."""
        from dlcore import metrics

        for given in self._given.values():
            for identifier in tree.flatten(given) if given else []:
                if isinstance(identifier, str) and identifier.lower() not in ("accuracy", "acc", "crossentropy", "ce"):
                    metrics.get(identifier)

    @property
    def is_built(self):
        return self._entries is not None

    @property
    def metrics(self):
        return [metric for metric, _, _ in self._entries or []]

    @property
    def variables(self):
        return [variable for metric in self.metrics for variable in metric.variables]

    def result(self):
        """dict of name -> value; empty before the first outputs are seen."""
        return results_of(self.metrics)

    def reset_state(self):
        """Resets all; before the first outputs are seen, those that may come with a state from another model."""
        from dlcore.metrics import Metric

        given = [m for m in tree.flatten(list(self._given.values())) if isinstance(m, Metric)]
        for metric in self.metrics if self.is_built else given:
            metric.reset_state()

    @property
    def of_several_outputs(self):
        return self.is_built and self._names is not None and len(self._names) > 1

    @unrecorded
    def build(self, y_true, y_pred):
        names, have_names = _output_names(self._model, y_pred)
        entries, taken = [], set()
        for what, given in self._given.items():
            if not given:
                continue
            weighted = what == "weighted_metrics"
            if names is None or len(names) == 1:
                flat = tree.flatten(given)
                outputs = [(0, identifier) for identifier in flat]
            else:
                per_output = _as_list(given, names, what)
                outputs = [(i, m) for i, ms in enumerate(per_output) for m in tree.flatten(ms)]
            true, predicted = _per_output(y_true, names), _per_output(y_pred, names)
            for i, identifier in outputs:
                if identifier is not None and tree.is_nested(predicted[i]):
                    shapes = tree.map_structure(lambda t: tuple(t.shape), predicted[i])
                    raise ValueError(
                        f"`{what}` holds {identifier!r} for an output of several tensors, {shapes}. Make each an "
                        "output of the model by itself, or compute it in compute_metrics()."
                    )
                metric = get_metric(identifier, true[i], predicted[i]) if true[i] is not None else None
                if metric is not None:
                    output = names[i] if have_names and len(names) > 1 else ""
                    metric.name = _unique_name(metric.name, output, weighted, taken)
                    taken.add(metric.name)
                    entries.append((metric, i, weighted))
        self._entries = entries
        self._names = names

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not self.is_built:
            self.build(y_true, y_pred)
        true, predicted = _per_output(y_true, self._names), _per_output(y_pred, self._names)
        weights = _weights_per_output(sample_weight, self._names)
        for metric, i, weighted in self._entries:
            if true[i] is None:
                continue
            weight = {"sample_weight": weights[i]} if weighted and weights[i] is not None else {}
            with calling("Metric", metric.name):
                metric.update_state(true[i], predicted[i], **weight)


def _unique_name(name, output, weighted, taken):
    """The name of a metric in the results, none of `taken`: with the prefix of its output, empty for the only one."""
    prefix = f"{output}_" if output else ""
    name = name.removeprefix(prefix)
    if weighted and prefix + name in taken:
        name = f"weighted_{name}"
    found, count = prefix + name, 0
    while found in taken:
        count += 1
        found = f"{prefix}{name}_{count}"
    return found


def _unique_names(names):
    taken = []
    for name in names:
        taken.append(_unique_name(name, "", False, taken))
    return taken


def _per_output(y, names, has_target=None):
    """An entry of y for each output. The targets of outputs that have none may be left out of y."""
    if names is None:
        if isinstance(y, (list, tuple)) and len(y) > 1:
            _mismatch(y, ["output"], "y")
        return [tree.flatten(y)[0] if isinstance(y, (list, tuple, dict)) else y]
    if isinstance(y, dict):
        if has_target is not None:
            _expect_targets(y, names, has_target)
        return [y.get(name) for name in names]
    flat = list(y) if isinstance(y, (list, tuple)) else [y]
    if len(flat) == len(names):
        return flat
    if has_target is None or len(flat) != sum(has_target):
        _mismatch(flat, names, "y")
    targets = iter(flat)
    return [next(targets) if has else None for has in has_target]


def _expect_targets(y, names, has_target):
    missing = [name for name, has in zip(names, has_target) if has and name not in y]
    if missing:
        raise ValueError(
            f"`y` lacks the output {missing[0]!r}, which has a loss; received the keys {list(y)}. Pass its targets, or "
            f"loss={{{missing[0]!r}: None, ...}} to compile()."
        )


def _weights_per_output(sample_weight, names):
    count = 1 if names is None else len(names)
    if sample_weight is None:
        return [None] * count
    if isinstance(sample_weight, (list, tuple, dict)):
        return _per_output(sample_weight, names)
    return [sample_weight] * count


class CompiledLoss:
    """The losses given to compile(), one per output, and their weighted sum."""

    def __init__(self, loss, loss_weights, model):
        from dlcore import losses

        self._loss, self._loss_weights, self._model = loss, loss_weights, model
        for identifier in tree.flatten(loss):
            if isinstance(identifier, str) and identifier.lower() not in ("crossentropy", "ce"):
                losses.get(identifier)  # unknown names are found now
        self._entries = None
        self._has_target = None
        self.metrics = []

    @property
    def has_any(self):
        """Whether an output has a loss; known after the first call."""
        return bool(self._entries)

    @unrecorded
    def build(self, y_true, y_pred):
        self._names, have_names = _output_names(self._model, y_pred)
        self._entries = self._of_outputs(self._loss, self._loss_weights, y_true, y_pred)
        if len(self._entries) > 1:
            from dlcore.metrics import Mean

            names = [f"{name}_loss" for _, _, _, name in self._entries]
            if not have_names:
                names = _unique_names(f"{loss.name}_loss" for _, loss, _, _ in self._entries)
            self.metrics = [Mean(name=name) for name in names]

    def _of_outputs(self, loss, weights, y_true, y_pred):
        """(path, loss, weight, name) of every loss. A path leads to an output or a part of one; () is all of them."""
        names = self._names or ["output"]
        if len(names) > 1 and self._is_several(loss, y_pred):
            entries = []
            for one, weight in zip(loss, _weights_of_parts(weights, loss)):
                if tree.is_nested(one):
                    entries += self._of_outputs(one, weight, y_true, y_pred)
                elif one is not None:
                    entries.append(((), _get_loss(one, y_true, y_pred), weight, "_".join(names)))
            return entries
        if len(names) > 1:
            given = _as_list(loss, names, "loss") if tree.is_nested(loss) else self._for_each(loss, y_pred)
            weights = [None] * len(names) if weights is None else _as_list(weights, names, "loss_weights")
        else:
            given = [_as_list(loss, self._names_of_one(loss), "loss")[0] if isinstance(loss, dict) else loss]
            if weights is not None and not tree.is_nested(given[0]):
                weights = _as_list(tree.flatten(weights), names, "loss_weights")[0]
            weights = [weights]
        self._has_target = [one is not None for one in given]
        parts = zip(given, weights, *self._parts(y_true, y_pred), self._names_of_leaves(y_pred), names)
        return [
            ((i, *path), found, weight, "/".join(map(str, (name, *labels))))
            for i, (one, weight, true, predicted, leaves, name) in enumerate(parts)
            for path, found, weight, labels in _losses_of(one, weight, true, predicted, leaves)
        ]

    def _names_of_one(self, loss):
        """The name of the only output; one that the model does not know is what the dict of its loss calls it."""
        functional = self._model._functional
        known = self._names or (None if functional is None else functional.output_names)
        return known if known and len(known) == 1 else list(loss)[:1]

    def _for_each(self, loss, y_pred):
        """One loss for every tensor of the outputs."""
        return [tree.map_structure(lambda _: loss, output) for output in _per_output(y_pred, self._names)]

    def _is_several(self, loss, y_pred):
        """Whether a list of losses for all outputs together, rather than one for each."""
        if not isinstance(loss, (list, tuple)) or isinstance(y_pred, type(loss)):
            return False
        return len(loss) != len(self._names) or any(map(tree.is_nested, loss))

    def _parts(self, y_true, y_pred):
        return _per_output(y_true, self._names, self._has_target), _per_output(y_pred, self._names)

    def _names_of_leaves(self, y_pred):
        """The names of the layers that make each output, where the model knows them, in the outputs' structure."""
        functional = self._model._functional
        leaves = tree.flatten(y_pred)
        known = [] if functional is None else functional.output_names
        packed = tree.pack_sequence_as(y_pred, known if len(known) == len(leaves) else [None] * len(leaves))
        return _per_output(packed, self._names)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if y_pred is None:
            raise ValueError(
                f"{self._model._label()}: call() returned None. Does it end with `return` and the outputs?"
            )
        if self._entries is None:
            self.build(y_true, y_pred)
        true, predicted = self._parts(y_true, y_pred)
        weights = _weights_per_output(sample_weight, self._names)
        several = len(predicted) > 1
        total, trackers = None, iter(self.metrics)
        for path, loss, factor, name in self._entries:
            tracker = next(trackers, None)
            if path:
                t, p, w = (_at(parts, path) for parts in (true, predicted, weights))
            else:
                t, p, w = y_true, y_pred, sample_weight
            if t is None:
                continue
            with of_output(name if several else None):
                value = ops.cast(loss(t, p, w) if w is not None else loss(t, p), "float32")
            if tracker is not None:
                tracker.update_state(value, sample_weight=_batch_size(p))
            if factor is not None:
                value = value * factor
            total = value if total is None else total + value
        return total


def _losses_of(loss, weight, y_true, y_pred, names, path=()):
    """(path, loss, weight, names of the parts) of the losses of one output, which may be a structure itself."""
    if loss is None:
        return []
    if isinstance(loss, (list, tuple)):
        if len(loss) == len(tree.flatten(y_pred)) and not any(map(tree.is_nested, loss)):
            weight = tree.pack_sequence_as(y_pred, weight) if isinstance(weight, (list, tuple)) else weight
            loss = tree.pack_sequence_as(y_pred, loss)
        elif not isinstance(y_pred, type(loss)):  # several losses of the same output
            each = zip(loss, _weights_of_parts(weight, loss))
            return [found for one, w in each for found in _losses_of(one, w, y_true, y_pred, names, path)]
    if not tree.is_nested(loss):
        labels = (*path[:-1], names) if path and isinstance(path[-1], int) and isinstance(names, str) else path
        return [(path, _get_loss(loss, y_true, y_pred), None if weight is None else float(weight), labels)]
    found = []
    for (key, one), w in zip(_items(loss), _weights_of_parts(weight, loss)):
        try:
            parts = [structure[key] for structure in (y_true, y_pred, names)]
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                f"`loss` has an entry at {(*path, key)}, but the outputs and `y` have none. The outputs are "
                f"{tree.map_structure(lambda x: x.shape, y_pred)}."
            ) from None
        found += _losses_of(one, w, *parts, (*path, key))
    return found


def _items(structure):
    return list(structure.items() if isinstance(structure, dict) else enumerate(structure))


def _weights_of_parts(weight, loss):
    """The weight of each part of a structure of losses; one number is for all of them."""
    if not tree.is_nested(weight):
        return [weight] * len(loss)
    if len(weight) != len(loss):
        raise ValueError(f"`loss_weights` has {len(weight)} entries for {len(loss)} losses; pass one for each.")
    return [weight[key] for key, _ in _items(loss)]


def _at(structure, path):
    """The part of a structure at a path; what is no structure is for all parts."""
    for key in path:
        structure = structure[key] if tree.is_nested(structure) else structure
    return structure


def _batch_size(x):
    x = tree.flatten(x)[0]
    return x.shape[0] if x.ndim else 1


def _get_loss(identifier, y_true, y_pred):
    """A callable (y_true, y_pred, sample_weight) -> scalar."""
    from dlcore import losses

    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return getattr(losses, _CROSSENTROPIES[_kind_of_labels(y_true, y_pred)])()
    loss = losses.get(identifier)
    if isinstance(loss, losses.Loss):
        return loss
    name = identifier if isinstance(identifier, str) else getattr(loss, "__name__", "loss")
    return losses.FunctionLoss(loss, name=name)


def total_loss(losses):
    """The sum of scalars."""
    total = None
    for loss in losses:
        loss = ops.sum(ops.cast(loss, "float32")) if getattr(loss, "ndim", 0) else ops.cast(loss, "float32")
        total = loss if total is None else total + loss
    return convert_to_tensor(0.0) if total is None else total
