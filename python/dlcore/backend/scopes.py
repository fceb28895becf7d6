"""Scopes that change what variables mean while a block runs."""

from dlcore.backend.global_state import get_global_attribute, set_global_attribute


class StatelessScope:
    """Inside, variables are read from and written to the scope: their own values stay as they are.

    Args:
        state_mapping: list of (variable, value) to begin with.
        collect_losses: bool, default False: keep what `add_loss` is given in `losses`.
        initialize_variables: kept for Keras's signature; variables have values from the start.

    Raises:
        ValueError: a key is no variable, or a value has another shape.

    Example:

    >>> counter = Variable(1.0)
    >>> with StatelessScope([(counter, 5.0)]) as scope:
    ...     step = counter.assign_add(1.0)
    >>> float(scope.get_current_value(counter)), float(counter)
    (6.0, 1.0)
    """

    def __init__(self, state_mapping=None, collect_losses=False, initialize_variables=True):
        from dlcore.backend.tensors import convert_to_tensor
        from dlcore.backend.variables import Variable

        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses = []
        self.state_mapping = {}
        for variable, value in state_mapping or []:
            if not isinstance(variable, Variable):
                raise ValueError(f"StatelessScope: the keys of state_mapping must be variables. Got {variable!r}.")
            value = convert_to_tensor(value, variable._dtype)
            if value.shape != variable.shape:
                raise ValueError(
                    f"StatelessScope: variable '{variable.path}' has shape {variable.shape}; got a value of shape "
                    f"{value.shape}."
                )
            self.state_mapping[id(variable)] = value

    def add_loss(self, loss):
        """Keeps a loss that a layer adds inside the scope."""
        self.losses.append(loss)

    def add_update(self, update):
        """Keeps (variable, value) in the scope."""
        variable, value = update
        self.state_mapping[id(variable)] = value

    def get_current_value(self, variable):
        """The value in the scope, or None when there is none."""
        return self.state_mapping.get(id(variable))

    def __enter__(self):
        self._outer = get_stateless_scope()
        set_global_attribute("stateless_scope", self)
        return self

    def __exit__(self, *exception):
        set_global_attribute("stateless_scope", self._outer)


def get_stateless_scope():
    """The scope that is open, or None."""
    return get_global_attribute("stateless_scope")


def run_stateless(owner, variables, values, function):
    """function() with given values of the variables. Returns (what it returns, the values that it leaves).

    Args:
        owner: who the variables belong to, for messages.
        variables: dict of what they are -> list of variables.
        values: likewise, the values.
    """
    state = []
    for what, of_kind in variables.items():
        given = list(values[what])
        if len(given) != len(of_kind):
            raise ValueError(
                f"{owner}: got {len(given)} {what}, but there are {len(of_kind)}. Pass a value for each, in order."
            )
        state += zip(of_kind, given)
    with StatelessScope(state) as scope:
        result = function()
    return result, [[scope.get_current_value(v) for v in of_kind] for of_kind in variables.values()]


class SymbolicScope:
    """Says that what runs inside stands for later computing: `in_symbolic_scope()` is then true."""

    def __enter__(self):
        self._outer = get_global_attribute("symbolic_scope")
        set_global_attribute("symbolic_scope", self)
        return self

    def __exit__(self, *exception):
        set_global_attribute("symbolic_scope", self._outer)


def in_symbolic_scope():
    return get_global_attribute("symbolic_scope") is not None
