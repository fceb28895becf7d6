"""Attention."""

import math
from typing import NamedTuple

from dlcore import _core
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_floats
from dlcore.ops.operation import operation


class _Limits(NamedTuple):
    """Scores up to so many are kept for the gradient. Of more, pieces of about so many are computed at a time, and of
    so many queries at least, as each piece adds to the gradients of all keys and values."""

    kept_scores: int
    scores_of_piece: int
    queries_of_piece: int


# What a processor's caches hold, and what fills a GPU.
_ON_CPU, _ON_GPU = _Limits(1 << 22, 1 << 20, 256), _Limits(1 << 26, 1 << 24, 1024)


@operation
def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
):
    """softmax(q k^T * scale + bias) v per head.

    Args:
        query: (B, T, heads, D).
        key: (B, S, heads, D).
        value: (B, S, heads, D).
        bias: broadcast to (B, heads, T, S).
        mask: bool, broadcast to (B, heads, T, S); False leaves a position out.
        scale: float, default 1 / sqrt(D).
        is_causal: bool, default False: a query sees no later keys.
        flash_attention: kept for Keras's signature: the scores are computed in pieces where that pays.
        attn_logits_soft_cap: float or None: scores s become cap * tanh(s / cap).
    """
    query, key, value = as_floats(query, key, value)
    if query.ndim != 4:
        raise ValueError(
            "dot_product_attention: expected query, key and value of shape (batch, time, heads, size). "
            f"Received: {query.shape}, {key.shape}, {value.shape}"
        )
    heads, shared = query.shape[2], key.shape[2]
    if shared != heads:
        key, value = knp.repeat(key, heads // shared, 2), knp.repeat(value, heads // shared, 2)
    scale = 1.0 / math.sqrt(key.shape[-1]) if scale is None else scale
    q, k, v = (knp.transpose(t, [0, 2, 1, 3]) for t in (query, key, value))

    def attend(q, k, v, part):
        scores = knp.multiply(_core.apply("matmul", [q, k], transpose_b=True), scale)
        if attn_logits_soft_cap is not None:
            scores = knp.multiply(knp.tanh(knp.divide(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
        if bias is not None:
            scores = knp.add(scores, part.of(bias))
        seen = None if mask is None else part.of(mask)
        if is_causal:
            causal = causal_mask(scores, part.first_row)
            seen = causal if seen is None else knp.logical_and(seen, causal)
        scores = masked_scores(scores, seen)
        return _core.apply("matmul", [_core.apply("softmax", [scores], axis=-1), v])

    return knp.transpose(in_pieces(attend, q, k, v, heads, 2, is_causal), [0, 2, 1, 3])


def masked_scores(scores, seen):
    """The scores, so low where they are not seen that a softmax gives those no weight; where none is, all alike."""
    return scores if seen is None else knp.where(seen, scores, -3e4 if scores.dtype == "float16" else -1e30)


def causal_mask(scores, first=0):
    """Bool, in the shape of scores (..., T, S): True where a key's position is not after the query's, first + row."""
    rows, columns = _places(scores, first)
    return knp.less_equal(columns, rows)


def window_mask(scores, window, first=0):
    """Bool, in the shape of scores (..., T, S): True where a key lies less than `window` positions from the query."""
    rows, columns = _places(scores, first)
    return knp.less(knp.absolute(knp.subtract(rows, columns)), window)


def _places(scores, first):
    """The positions of the queries, first + row, and of the keys, in the shape of scores."""
    rows = _core.apply("iota_like", [scores], axis=scores.ndim - 2, dtype="int32")
    columns = _core.apply("iota_like", [scores], axis=scores.ndim - 1, dtype="int32")
    return knp.add(rows, first) if first else rows, columns


class Part(NamedTuple):
    """Which of the scores (batch, ..., T, S) are meant: slices, None for all."""

    batches: slice | None = None
    rows: slice | None = None
    columns: slice | None = None

    @property
    def first_row(self):
        return self.rows.start if self.rows else 0

    def of(self, x):
        """The part of what is broadcast to the scores."""
        for axis, wanted in ((-4, self.batches), (-2, self.rows), (-1, self.columns)):
            if wanted is not None and x.ndim >= -axis and x.shape[axis] != 1:
                x = x[(..., wanted, *[slice(None)] * (-axis - 1))]
        return x


def in_pieces(attend, query, key, value, heads, axis, is_causal):
    """attend(query, key, value, part) of (batch, ...) tensors: of all at once or, where there are many scores, of
    pieces of them one after another, batches first, then queries.

    What a piece computes is computed again for its gradients, so memory grows with T + S instead of their product (Rabe
    and Staats 2021, "Self-attention does not need O(n^2) memory"). Causal pieces leave out the keys that none of their
    queries sees.

    Args:
        heads: number of scores for each pair of a query and a key.
        axis: of the queries and keys, T and S.
    """
    batch, queries, keys = query.shape[0], query.shape[axis], key.shape[axis]
    limits = _ON_CPU if _core.current_device().startswith("cpu") else _ON_GPU
    if None in (batch, queries, keys) or batch * heads * queries * keys <= limits.kept_scores:
        return attend(query, key, value, Part())
    of_batches = _ranges(batch, limits.scores_of_piece // (heads * queries * keys))
    results = []
    for batches, q, k, v in zip(of_batches, *(_split(x, of_batches, 0) for x in (query, key, value))):
        rows_of_piece = limits.scores_of_piece // ((batches.stop - batches.start) * heads * keys)
        of_rows = _ranges(queries, max(limits.queries_of_piece, rows_of_piece))
        pieces = []
        for rows, q_piece in zip(of_rows, _split(q, of_rows, axis)):
            columns = slice(0, min(rows.stop, keys)) if is_causal else None
            index = (slice(None),) * axis + (columns,)
            with _core.RematRegion():
                seen = (k[index], v[index]) if is_causal else (k, v)
                pieces.append(attend(q_piece, *seen, Part(batches, rows, columns)))
        results.append(knp.concatenate(pieces, axis))
    return knp.concatenate(results, 0)


def _ranges(size, step):
    step = max(1, step)
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def _split(x, ranges, axis):
    return [x] if len(ranges) == 1 else knp.split(x, [part.stop for part in ranges[:-1]], axis)


__all__ = ["dot_product_attention"]
