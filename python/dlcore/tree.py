"""Nested lists, tuples and dicts of leaves. Dicts are walked in the order of their sorted keys, but an OrderedDict in
its own; None is a leaf.

Kinds of these, such as an OrderedDict, stay what they are; a deque counts as a list.
"""

import collections

_SEQUENCES = (list, tuple, collections.deque)


def is_nested(structure):
    """Whether x is a list, tuple or dict."""
    return isinstance(structure, (*_SEQUENCES, dict))


def _keys(dictionary):
    if isinstance(dictionary, collections.OrderedDict):
        return list(dictionary)
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
    elif isinstance(structure, _SEQUENCES):
        for item in structure:
            _collect(item, leaves)
    else:
        leaves.append(structure)


def rebuilt(sequence, items):
    """A list, tuple, named tuple or deque of other items, as the sequence is one."""
    if hasattr(sequence, "_fields"):  # a named tuple
        return type(sequence)(*items)
    if isinstance(sequence, collections.deque):
        return collections.deque(items, sequence.maxlen)
    return list(items) if isinstance(sequence, list) else tuple(items)


def _rebuilt_dict(dictionary, values):
    """Other values for the keys of a dict, in its order."""
    items = {key: values[key] for key in dictionary}
    if isinstance(dictionary, collections.defaultdict):
        return collections.defaultdict(dictionary.default_factory, items)
    return collections.OrderedDict(items) if isinstance(dictionary, collections.OrderedDict) else items


def map_structure(func, *structures, none_is_leaf=True):
    """func of each leaf (of the leaves at the same place in several structures), in the first one's structure.

    The leaves are visited in the order of `flatten`.

    Args:
        func: function of as many leaves as there are structures.
        structures: nested lists, tuples and dicts.
        none_is_leaf: bool, default True: func is called with None too; else None stays None.
    """
    first = structures[0]
    if not is_nested(first):
        return None if first is None and not none_is_leaf else func(*structures)
    for other in structures[1:]:
        _check_alike(first, other)
    if isinstance(first, dict):
        parts = {key: [s[key] for s in structures] for key in _keys(first)}
        made = {key: map_structure(func, *part, none_is_leaf=none_is_leaf) for key, part in parts.items()}
        return _rebuilt_dict(first, made)
    return rebuilt(first, [map_structure(func, *part, none_is_leaf=none_is_leaf) for part in zip(*structures)])


def map_shape_structure(func, structure):
    """As map_structure for structures of shapes: a list or tuple of ints and None is a leaf, passed as a tuple.

    Args:
        func: function of a shape.
        structure: nested lists, tuples and dicts of shapes.
    """
    if isinstance(structure, _SEQUENCES) and all(size is None or isinstance(size, int) for size in structure):
        return func(tuple(structure))
    if isinstance(structure, dict):
        made = {key: map_shape_structure(func, structure[key]) for key in _keys(structure)}
        return _rebuilt_dict(structure, made)
    if isinstance(structure, _SEQUENCES):
        return rebuilt(structure, [map_shape_structure(func, item) for item in structure])
    raise ValueError(f"map_shape_structure: expected shapes. Got {structure!r}.")


class MAP_TO_NONE:  # noqa: N801, Keras's name
    """What the function of `traverse` returns for None: None itself means that it goes on below."""


def traverse(func, structure, top_down=True):
    """A copy of the structure in which parts are what func(part) returns, where that is not None.

    Args:
        function: takes a leaf or a part; returns None to go on below it, or to leave a leaf, MAP_TO_NONE for None.
        structure: nested lists, tuples and dicts.
        top_down: bool, default True: ask for a part before what is in it; else after.
    """
    if top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    if isinstance(structure, dict):
        made = {key: traverse(func, structure[key], top_down) for key in _keys(structure)}
        copy = _rebuilt_dict(structure, made)
    elif isinstance(structure, _SEQUENCES):
        copy = rebuilt(structure, [traverse(func, item, top_down) for item in structure])
    else:
        copy = structure
    if top_down:
        return copy
    found = func(copy)
    if found is None:
        return copy
    return None if found is MAP_TO_NONE else found


def flatten_with_path(structure):
    """The list of (path, leaf); a path is a tuple of keys and places in lists."""
    if isinstance(structure, dict):
        parts = [(key, structure[key]) for key in _keys(structure)]
    elif isinstance(structure, _SEQUENCES):
        parts = enumerate(structure)
    else:
        return [((), structure)]
    return [((key, *path), leaf) for key, part in parts for path, leaf in flatten_with_path(part)]


def assert_same_paths(a, b):
    """A ValueError when the leaves of two structures lie at different paths; lists and tuples are alike.

    Args:
        a, b: nested lists, tuples and dicts.
    """
    first, second = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if first != second:
        raise ValueError(
            f"The structures have different paths. Only in the first: {sorted(first - second, key=str)}; only in the "
            f"second: {sorted(second - first, key=str)}."
        )


def lists_to_tuples(structure):
    """The structure with tuples in place of lists."""
    if isinstance(structure, dict):
        return _rebuilt_dict(structure, {key: lists_to_tuples(value) for key, value in structure.items()})
    if isinstance(structure, _SEQUENCES):
        items = [lists_to_tuples(item) for item in structure]
        return tuple(items) if isinstance(structure, list) else rebuilt(structure, items)
    return structure


def map_structure_up_to(shallow_structure, func, *structures):
    """As map_structure, but what lies below the leaves of `shallow_structure` is passed on whole.

    Args:
        shallow_structure: nested lists, tuples and dicts.
        func: function of as many arguments as there are structures.
        structures: such that reach at least as deep.

    Raises:
        ValueError: a structure differs from the shallow one in what both have.
    """
    if is_nested(shallow_structure):
        for structure in structures:
            _check_alike(shallow_structure, structure)
            _check_same_type(shallow_structure, structure)
    if isinstance(shallow_structure, dict):
        made = {
            key: map_structure_up_to(shallow_structure[key], func, *(s[key] for s in structures))
            for key in _keys(shallow_structure)
        }
        return _rebuilt_dict(shallow_structure, made)
    if isinstance(shallow_structure, _SEQUENCES):
        return rebuilt(
            shallow_structure,
            [map_structure_up_to(items[0], func, *items[1:]) for items in zip(shallow_structure, *structures)],
        )
    return func(*structures)


def assert_same_structure(a, b, check_types=None):
    """A ValueError when two structures differ, also where one has a list and the other a tuple.

    Args:
        a, b: nested lists, tuples and dicts; dicts are alike if their keys are.
        check_types: kept for Keras's signature.
    """
    _check_alike(a, b)
    if is_nested(a):
        _check_same_type(a, b)
        for part, other in ((a[k], b[k]) for k in a) if isinstance(a, dict) else zip(a, b):
            assert_same_structure(part, other)


def _check_same_type(a, b):
    """A ValueError when two containers are of different types; all dicts are alike."""
    if not isinstance(a, dict) and type(a) is not type(b):
        raise ValueError(f"The structures differ: expected a {type(a).__name__} like {a!r}. Got {b!r}.")


def _check_alike(a, b):
    """A ValueError when two structures differ at their top."""
    if is_nested(a) != is_nested(b) or isinstance(a, dict) != isinstance(b, dict):
        raise ValueError(f"The structures differ: {a!r} and {b!r}.")
    if isinstance(a, dict) and set(a) != set(b):
        raise ValueError(f"The structures have different keys: {sorted(a)} and {sorted(b)}.")
    if is_nested(a) and len(a) != len(b):
        raise ValueError(f"The structures have different lengths: {len(a)} and {len(b)}.")


def pack_sequence_as(structure, flat_sequence):
    """The leaves of `flat_sequence` in the given structure.

    Raises:
        ValueError: there are not as many values as leaves.
    """
    leaves = iter(flat_sequence)
    count = len(flatten(structure))
    if count != len(flat_sequence):
        raise ValueError(f"The structure has {count} leaves, but {len(flat_sequence)} were given.")
    return _pack(structure, leaves)


def _pack(structure, leaves):
    if isinstance(structure, dict):
        packed = {key: _pack(structure[key], leaves) for key in _keys(structure)}
        return _rebuilt_dict(structure, packed)
    if isinstance(structure, _SEQUENCES):
        return rebuilt(structure, [_pack(item, leaves) for item in structure])
    return next(leaves)
