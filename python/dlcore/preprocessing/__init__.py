"""Preparing data: padding sequences, turning text into word numbers."""

from dlcore.preprocessing import sequence, text

__all__ = ["sequence", "text"]
