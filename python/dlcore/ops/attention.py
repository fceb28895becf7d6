"""Attention."""

import math

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, own_names
from dlcore.ops.operation import operation


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
    """
    query, key, value = (as_float(t) for t in backend.promote(query, key, value))
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
    scores = knp.multiply(_core.apply("matmul", [q, k], transpose_b=True), scale)
    if attn_logits_soft_cap is not None:
        scores = knp.multiply(knp.tanh(knp.divide(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
    if bias is not None:
        scores = knp.add(scores, bias)
    if is_causal:
        rows = _core.apply("iota_like", [scores], axis=2, dtype="int32")
        columns = _core.apply("iota_like", [scores], axis=3, dtype="int32")
        seen = knp.less_equal(columns, rows)
        mask = seen if mask is None else knp.logical_and(mask, seen)
    if mask is not None:
        scores = knp.where(mask, scores, -6e4 if scores.dtype == "float16" else -1e30)
    return knp.transpose(_core.apply("matmul", [_core.apply("softmax", [scores], axis=-1), v]), [0, 2, 1, 3])


__all__ = own_names(globals())
