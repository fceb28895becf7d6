"""What programs written for Keras 2 use."""

from dlcore.legacy import saving

__all__ = ["saving"]
