"""Sequences of different lengths."""

from dlcore.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]
