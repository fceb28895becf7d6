"""Exceptions of dlcore's own; where Python has one that fits, that one is raised."""

from dlcore._core import NotTraceable, OutOfMemory


class MissingFile(FileNotFoundError, ValueError):
    """The file of a model or of its weights is not there. In Keras this is a ValueError."""


class UnknownClass(ValueError, TypeError):
    """A configuration names a class that is not known. In Keras this is a TypeError."""


__all__ = ["MissingFile", "NotTraceable", "OutOfMemory", "UnknownClass"]
