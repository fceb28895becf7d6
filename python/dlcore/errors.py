"""Exceptions of dlcore's own; where Python has one that fits, that one is raised."""

from dlcore._core import OutOfMemory

__all__ = ["OutOfMemory"]
