"""Sequences of different lengths as one array."""

import numpy as np


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """Puts sequences of different lengths into one array.

    Args:
        sequences: list of sequences; each is a list of numbers or of equally shaped arrays.
        maxlen: length of the result; None takes the longest sequence's.
        dtype: of the result; `object` for strings of different lengths.
        padding: "pre" or "post": the side where short sequences are filled up.
        truncating: "pre" or "post": the side where long sequences are cut.
        value: what fills up.

    Returns:
        array (len(sequences), maxlen, ...).

    Raises:
        ValueError: a sequence holds text and `dtype` is one of numbers, or the shapes of steps differ.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]])
        array([[0, 0, 1],
               [0, 2, 3],
               [4, 5, 6]], dtype=int32)
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences expects a list of sequences. Got {type(sequences).__name__}; pass list(...).")
    for name, choice in (("padding", padding), ("truncating", truncating)):
        if choice not in ("pre", "post"):
            raise ValueError(f'pad_sequences: {name} must be "pre" or "post". Got {choice!r}.')
    if maxlen is not None and maxlen < 1:
        raise ValueError(f"pad_sequences: maxlen must be at least 1. Got {maxlen}.")
    _check_value(value, dtype)
    lengths = [_length(i, sequence) for i, sequence in enumerate(sequences)]
    maxlen = max(lengths, default=0) if maxlen is None else maxlen
    first = next((sequence for sequence, length in zip(sequences, lengths) if length), ())
    step_shape = np.shape(first[0]) if len(first) else ()
    result = np.full((len(lengths), maxlen, *step_shape), value, dtype)
    for i, sequence in enumerate(sequences):
        if not lengths[i]:
            continue
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if _holds_text(kept) and not _is_for_text(dtype):
            raise ValueError(
                f"pad_sequences: sequence {i} holds text, which does not fit dtype {dtype}. Encode text as integers, "
                "such as with TextVectorization, or pass dtype=object and a string as the value."
            )
        kept = np.asarray(kept, dtype)
        if kept.shape[1:] != step_shape:
            raise ValueError(
                f"pad_sequences: the steps of sequence {i} have shape {kept.shape[1:]}, those before {step_shape}."
            )
        if padding == "pre":
            result[i, maxlen - len(kept) :] = kept
        else:
            result[i, : len(kept)] = kept
    return result


def _is_for_text(dtype):
    return np.dtype(dtype).kind in "OSU"


def _holds_text(steps):
    return isinstance(steps, (str, bytes)) or isinstance(steps[0], (str, bytes))


def _check_value(value, dtype):
    if isinstance(value, str) and not _is_for_text(dtype):
        raise ValueError(
            f"pad_sequences: the value {value!r} does not fit dtype {dtype}. Pass dtype=object for strings."
        )


def _length(i, sequence):
    try:
        return len(sequence)
    except TypeError:
        raise ValueError(f"pad_sequences expects a list of sequences, but item {i} is {sequence!r}.") from None
