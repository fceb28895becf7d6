"""Automatic names of layers and variables, and the scopes that make their paths."""

import difflib
import functools
import re
import sys
import threading

from dlcore.backend.global_state import get_global_attribute


@functools.lru_cache(maxsize=4096)
def to_snake_case(name):
    """ "MaxPooling2D" -> "max_pooling2d"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def to_camel_case(name):
    """ "expand_dims" -> "ExpandDims"."""
    return "".join(part.capitalize() for part in name.split("_"))


def uniquify(name):
    """ "dense", then "dense_1", "dense_2", ..."""
    counts = get_global_attribute("name_counts", dict)
    count = counts.get(name, 0)
    counts[name] = count + 1
    return f"{name}_{count}" if count else name


def auto_name(prefix):
    """A name that no other layer has, from a class name."""
    return uniquify(to_snake_case(prefix))


def get_uid(prefix=""):
    """The next number, from 1, of the counter named `prefix`."""
    counts = get_global_attribute("uids", dict)
    counts[prefix] = counts.get(prefix, 0) + 1
    return counts[prefix]


class _Scopes(threading.local):
    def __init__(self):
        self.open = []


_scopes = _Scopes()


def open_scopes():
    """The names of this thread's open scopes, the outermost first."""
    return _scopes.open


class name_scope:
    """`with name_scope("dense"):` prefixes the paths of the variables made inside, in this thread."""

    def __init__(self, name):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"A name must be a string without '/'. Received: name={name!r}")
        self.name = name

    def __enter__(self):
        open_scopes().append(self.name)
        return self

    def __exit__(self, *exception):
        open_scopes().pop()


def current_path():
    """The names of the open scopes, joined by "/"."""
    return "/".join(open_scopes())


# As many names are listed where none is near.
_LISTED = 40


def no_attribute(module, name, known):
    """The AttributeError for a name that a module does not have; it lists the nearest of the known ones.

    Python would add a name of its own in a terminal, but in no notebook; without an object it does not.
    """
    text = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("_"):
        text += f". {nearest_hint(name, [other for other in known if not other.startswith('_')])}"
    return AttributeError(text, name=name)


def unknown_attributes(module):
    """The `__getattr__` of a module whose unknown names are errors that list the nearest."""

    def __getattr__(name):
        raise no_attribute(module, name, dir(sys.modules[module]))

    return __getattr__


def nearest_hint(name, names, others=False):
    """The names most like `name`, or all where they are not too many, as a sentence for an error message.

    `others`: all follow the nearest, as is right for the few values that an argument takes.
    """
    lowered = {known.lower(): known for known in names}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=3, cutoff=0.5)
    if near and others:
        rest = sorted(known for known in lowered if known not in near)
        return "Known names: " + ", ".join(f'"{lowered[n]}"' for n in near + rest) + "."
    if near:
        return "Nearest names: " + ", ".join(f'"{lowered[n]}"' for n in near) + "."
    if len(lowered) > _LISTED:
        return f"None of the {len(lowered)} known names is like it."
    # Of "AdamW", "adamw" and "adam_w" one tells enough.
    told = {known.lower().replace("_", ""): known for known in sorted(names, reverse=True)}
    return "Known names: " + ", ".join(f'"{n}"' for n in sorted(told.values())) + "."
