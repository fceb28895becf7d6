"""Nested lists, tuples and dicts of leaves. Dicts are walked in the order of their sorted keys; None is a leaf."""


def is_nested(structure):
    """Whether x is a list, tuple or dict."""
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


def map_shape_structure(function, structure):
    """As map_structure for structures of shapes: a list or tuple of ints and None is a leaf, passed as a tuple."""
    if isinstance(structure, (list, tuple)) and all(size is None or isinstance(size, int) for size in structure):
        return function(tuple(structure))
    if isinstance(structure, dict):
        return {key: map_shape_structure(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return _rebuild(structure, [map_shape_structure(function, item) for item in structure])
    raise ValueError(f"map_shape_structure: expected shapes. Got {structure!r}.")


class MAP_TO_NONE:  # noqa: N801, Keras's name
    """What the function of `traverse` returns for None: None itself means that it goes on below."""


def traverse(function, structure, top_down=True):
    """A copy of the structure in which parts are what function(part) returns, where that is not None.

    Args:
        function: takes a leaf or a part; returns None to go on below it, or to leave a leaf, MAP_TO_NONE for None.
        structure: nested lists, tuples and dicts.
        top_down: bool, default True: ask for a part before what is in it; else after.
    """
    if top_down:
        found = function(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    if isinstance(structure, dict):
        made = {key: traverse(function, structure[key], top_down) for key in _keys(structure)}
        rebuilt = {key: made[key] for key in structure}
    elif isinstance(structure, (list, tuple)):
        rebuilt = _rebuild(structure, [traverse(function, item, top_down) for item in structure])
    else:
        rebuilt = structure
    if top_down:
        return rebuilt
    found = function(rebuilt)
    if found is None:
        return rebuilt
    return None if found is MAP_TO_NONE else found


def flatten_with_path(structure):
    """The list of (path, leaf); a path is a tuple of keys and places in lists."""
    if isinstance(structure, dict):
        parts = [(key, structure[key]) for key in _keys(structure)]
    elif isinstance(structure, (list, tuple)):
        parts = enumerate(structure)
    else:
        return [((), structure)]
    return [((key, *path), leaf) for key, part in parts for path, leaf in flatten_with_path(part)]


def assert_same_paths(a, b):
    """A ValueError when the leaves of two structures lie at different paths; lists and tuples are alike."""
    first, second = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if first != second:
        raise ValueError(
            f"The structures have different paths. Only in the first: {sorted(first - second, key=str)}; only in the "
            f"second: {sorted(second - first, key=str)}."
        )


def lists_to_tuples(structure):
    """The structure with tuples in place of lists."""
    if isinstance(structure, dict):
        return {key: lists_to_tuples(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [lists_to_tuples(item) for item in structure]
        return tuple(items) if isinstance(structure, list) else _rebuild(structure, items)
    return structure


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
