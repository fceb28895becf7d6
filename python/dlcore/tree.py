"""Nested lists, tuples and dicts of leaves. Dicts are walked in the order of their sorted keys; None is a leaf."""


def is_nested(structure):
    return isinstance(structure, (list, tuple, dict))


def _keys(dictionary):
    try:
        return sorted(dictionary)
    except TypeError:
        return list(dictionary)


def flatten(structure):
    """The list of leaves."""
    leaves = []
    _collect(structure, leaves)
    return leaves


def _collect(structure, leaves):
    if isinstance(structure, dict):
        for key in _keys(structure):
            _collect(structure[key], leaves)
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            _collect(item, leaves)
    else:
        leaves.append(structure)


def _rebuild(sequence, items):
    if hasattr(sequence, "_fields"):  # a named tuple
        return type(sequence)(*items)
    return list(items) if isinstance(sequence, list) else tuple(items)


def map_structure(function, *structures):
    """function of each leaf (of the leaves at the same place in several structures), in the first one's structure."""
    first = structures[0]
    if isinstance(first, dict):
        assert_same_structure(*structures, shallow=True)
        return {key: map_structure(function, *(s[key] for s in structures)) for key in first}
    if isinstance(first, (list, tuple)):
        assert_same_structure(*structures, shallow=True)
        return _rebuild(first, [map_structure(function, *items) for items in zip(*structures)])
    return function(*structures)


def map_structure_up_to(shallow, function, *structures):
    """As map_structure, but what lies below the leaves of `shallow` is passed on whole."""
    if isinstance(shallow, dict):
        return {key: map_structure_up_to(shallow[key], function, *(s[key] for s in structures)) for key in shallow}
    if isinstance(shallow, (list, tuple)):
        return _rebuild(
            shallow, [map_structure_up_to(items[0], function, *items[1:]) for items in zip(shallow, *structures)]
        )
    return function(*structures)


def assert_same_structure(*structures, shallow=False):
    """A ValueError when two structures differ (with shallow: at their top)."""
    first = structures[0]
    for other in structures[1:]:
        if is_nested(first) != is_nested(other) or isinstance(first, dict) != isinstance(other, dict):
            raise ValueError(f"The structures differ: {first!r} and {other!r}.")
        if isinstance(first, dict) and set(first) != set(other):
            raise ValueError(f"The structures have different keys: {sorted(first)} and {sorted(other)}.")
        if is_nested(first) and len(first) != len(other):
            raise ValueError(f"The structures have different lengths: {len(first)} and {len(other)}.")
        if is_nested(first) and not shallow:
            pairs = ((first[k], other[k]) for k in first) if isinstance(first, dict) else zip(first, other)
            for a, b in pairs:
                assert_same_structure(a, b)


def pack_sequence_as(structure, flat):
    """The leaves of `flat` in the given structure."""
    leaves = iter(flat)
    count = len(flatten(structure))
    if count != len(flat):
        raise ValueError(f"The structure has {count} leaves, but {len(flat)} were given.")
    return _pack(structure, leaves)


def _pack(structure, leaves):
    if isinstance(structure, dict):
        packed = {key: _pack(structure[key], leaves) for key in _keys(structure)}
        return {key: packed[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        return _rebuild(structure, [_pack(item, leaves) for item in structure])
    return next(leaves)
