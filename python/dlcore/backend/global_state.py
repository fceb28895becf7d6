"""What lives as long as the session: counters of names and the like. `clear_session()` forgets it."""

_attributes = {}


def get_global_attribute(name, make_default=None):
    """The attribute, made by `make_default()` at first use."""
    if name not in _attributes and make_default is not None:
        _attributes[name] = make_default()
    return _attributes.get(name)


def set_global_attribute(name, value):
    """Keeps a value under a name until `clear_session`."""
    _attributes[name] = value


def clear_session(free_memory=True):
    """Resets the counters of automatic names ("dense", "dense_1", ...), the global random state and dtype policy.

    Args:
        free_memory: kept for Keras's signature: memory is free once nothing refers to it.
    """
    _attributes.clear()
