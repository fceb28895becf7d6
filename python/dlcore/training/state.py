"""What a model remembers, as values: steps without side effects, and all variables in nested dicts."""

from collections import Counter

from dlcore.backend.arguments import one_of
from dlcore.backend.scopes import run_stateless


class StateAsValues:
    """The part of Trainer that gives the variables' values out and takes them in."""

    def stateless_compute_loss(
        self,
        trainable_variables,
        non_trainable_variables,
        metrics_variables,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """`compute_loss` with given values of the variables, in the order of the properties of these names.

        Args:
            trainable_variables, non_trainable_variables, metrics_variables: lists of values.
            x, y, y_pred, sample_weight, training: as for `compute_loss`.

        Returns:
            The loss, and (trainable_variables, non_trainable_variables, metrics_variables) as it leaves them.
        """
        names = ("trainable_variables", "non_trainable_variables", "metrics_variables")
        values = dict(zip(names, (trainable_variables, non_trainable_variables, metrics_variables)))
        loss, written = run_stateless(
            self._label(),
            {name: getattr(self, name) for name in names},
            values,
            lambda: self._loss_of_step(x, y, y_pred, sample_weight, training),
        )
        return loss, tuple(written)

    def get_state_tree(self, value_format="backend_tensor"):
        """All variables' values, by kind and then in nested dicts by the parts of their paths.

        Args:
            value_format: `"backend_tensor"` (default), for which `"tensor"` is taken too, or `"numpy_array"`.

        Returns:
            dict with the keys `"trainable_variables"`, `"non_trainable_variables"`, `"optimizer_variables"` and
            `"metrics_variables"`.
        """
        one_of("get_state_tree", "value_format", value_format, ("tensor", "backend_tensor", "numpy_array"))
        tree = {}
        for kind, variables in self._variables_by_kind().items():
            tree[kind] = {}
            for path, variable in variables.items():
                *parents, name = path.split("/")
                place = tree[kind]
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[name] = variable.numpy() if value_format == "numpy_array" else variable.value
        return tree

    def set_state_tree(self, state_tree):
        """Sets the variables from what `get_state_tree` returned, or some kinds of it."""
        known = self._variables_by_kind()
        for kind, values in state_tree.items():
            one_of("set_state_tree", "kind of variables", kind, tuple(known))
            for path, value in _leaves_by_path(values):
                if path not in known[kind]:
                    raise ValueError(f"{self._label()}: no variable of the {kind} has the path {path!r}.")
                known[kind][path].assign(value)

    def _variables_by_kind(self):
        kinds = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if self.optimizer is None else self.optimizer.variables,
            "metrics_variables": self.metrics_variables,
        }
        for kind, variables in kinds.items():
            twice = [path for path, count in Counter(v.path for v in variables).items() if count > 1]
            if twice:
                raise ValueError(
                    f"{self._label()}: several {kind} have the path {twice[0]!r}. Give the layers different names."
                )
        return {kind: {v.path: v for v in variables} for kind, variables in kinds.items()}


def _leaves_by_path(tree, path=""):
    """(path, value) for each leaf of nested dicts."""
    for name, value in tree.items():
        whole = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            yield from _leaves_by_path(value, whole)
        else:
            yield whole, value
