"""Connectionist temporal classification (Graves et al. 2006): the loss of label sequences without alignment, decoding.

A path names a class or the blank at every step; it stands for the labels that remain when repeats are merged and blanks
dropped. The loss is -log of the sum of the probabilities of all paths that stand for the target.
"""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.errors import NotTraceable
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, tensor
from dlcore.ops.activations import log_softmax
from dlcore.ops.operation import operation

# log 0, small enough to vanish beside any probability of a path, finite so that gradients are.
_LOG_ZERO = -1e5


@operation
def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """The loss of each sequence, by the forward recursion over steps.

    Args:
        target: int (batch, labels): the classes; what lies beyond target_length does not matter.
        output: float (batch, steps, classes): logits.
        target_length, output_length: int (batch,).
        mask_index: the class of the blank.

    Returns:
        float32 or float64 (batch,).

    Raises:
        ValueError: the shapes are others, or the numbers of labels or steps are not known.
    """
    target, output = backend.convert_to_tensor(target, "int32"), _wide(output)
    if target.ndim != 2 or output.ndim != 3 or output.shape[1] is None or target.shape[1] is None:
        raise ValueError(
            "ctc_loss: expected target (batch, labels) and output (batch, steps, classes) with known numbers of labels "
            f"and steps. Received: target.shape={target.shape}, output.shape={output.shape}"
        )
    target_length, output_length = (backend.convert_to_tensor(n, "int32") for n in (target_length, output_length))
    steps, labels = output.shape[1], target.shape[1]
    log_p = log_softmax(output)
    emits = _emissions(log_p, target)  # [B, T, L]
    blanks = log_p[:, :, mask_index : mask_index + 1]  # [B, T, 1]
    # Two states per label: it was just emitted, or a blank follows what came before it. [B, L] and [B, L + 1]
    repeats = backend.convert_to_tensor(knp.equal(target[:, :-1], target[:, 1:]), log_p.dtype)
    repeats = knp.pad(repeats, ((0, 0), (0, 1)))
    emitted = knp.add(knp.zeros_like(repeats), _LOG_ZERO)
    between = knp.concatenate([knp.zeros_like(emits[:, 0, :1]), emitted], axis=-1)
    for t in range(steps):
        # From one label straight to the next, unless they are equal: then a blank has to stand between them.
        reached = _join(between, knp.add(emitted, knp.multiply(_LOG_ZERO, repeats)))
        new_emitted = knp.add(knp.logaddexp(reached[:, :-1], emitted), emits[:, t])
        through_blank = knp.add(knp.add(emitted, blanks[:, t]), knp.multiply(_LOG_ZERO, knp.subtract(1.0, repeats)))
        new_between = _join(knp.add(reached, blanks[:, t]), through_blank)
        runs = knp.expand_dims(knp.less(t, output_length), -1)
        emitted, between = knp.where(runs, new_emitted, emitted), knp.where(runs, new_between, between)
    ends = _core.apply("one_hot", [target_length], depth=labels + 1, dtype=log_p.dtype)
    return knp.negative(knp.sum(knp.multiply(_join(between, emitted), ends), axis=-1))


def _wide(x):
    """In float32 at least: sums over paths go beyond what 16-bit floats hold."""
    x = as_float(x)
    return backend.convert_to_tensor(x, backend.result_type(x.dtype, "float32"))


def _emissions(log_p, target):
    """log_p[b, t, target[b, l]] as [B, T, L]."""
    hot = _core.apply("one_hot", [target], depth=log_p.shape[-1], dtype=log_p.dtype)
    return _core.apply("matmul", [log_p, hot], transpose_b=True)


def _join(between, emitted):
    """[B, L + 1]: the states before each label and after the last, when the emitted ones flow into them."""
    return knp.concatenate([between[:, :1], knp.logaddexp(between[:, 1:], emitted)], axis=-1)


def _decoded_like(inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, *args, **kwargs):
    batch, steps, _ = inputs.shape
    return backend.KerasTensor((top_paths, batch, steps), "int32"), backend.KerasTensor((batch, top_paths))


@operation(outputs_like=_decoded_like)
def ctc_decode(
    inputs,
    sequence_lengths,
    strategy="greedy",
    beam_width=100,
    top_paths=1,
    merge_repeated=True,
    mask_index=0,
):
    """The labels that logits (batch, steps, classes) stand for.

    Args:
        inputs: float (batch, steps, classes): logits.
        sequence_lengths: int (batch,).
        strategy: `"greedy"`: the best class of every step. `"beam_search"`: the best sums over paths, kept in a beam;
            only outside traced functions.
        beam_width, top_paths: ints of the beam search: how many prefixes are kept, and returned.
        merge_repeated: bool of the greedy strategy: merge equal neighbours.
        mask_index: the class of the blank.

    Returns:
        int (paths, batch, steps): the labels, then -1; and the negative sum of the best logits (batch, 1) for greedy,
        the log probabilities (batch, top_paths) for beam_search.
    """
    x = _wide(inputs)
    lengths = backend.convert_to_tensor(sequence_lengths, "int32")
    if strategy == "greedy":
        return _greedy(x, lengths, merge_repeated, mask_index)
    if strategy == "beam_search":
        return _beam_search(x, lengths, beam_width, top_paths, mask_index)
    raise ValueError(f'ctc_decode: unknown strategy {strategy!r}. Expected "greedy" or "beam_search".')


def _greedy(x, lengths, merge_repeated, mask_index):
    best, scores = knp.argmax(x, axis=-1), knp.max(x, axis=-1)
    step = _core.apply("iota_like", [best], axis=1, dtype="int32")
    beyond = knp.greater_equal(step, knp.expand_dims(lengths, -1))
    best, scores = knp.where(beyond, mask_index, best), knp.where(beyond, 0.0, scores)
    dropped = knp.equal(best, mask_index)
    if merge_repeated:
        repeated = knp.pad(knp.equal(best[:, 1:], best[:, :-1]), ((0, 0), (1, 0)))
        dropped = knp.logical_or(dropped, repeated)
    # Kept labels first, in their order.
    order = knp.argsort(knp.where(dropped, x.shape[1], step), axis=-1)
    labels = knp.take_along_axis(knp.where(dropped, -1, best), order, axis=-1)
    return knp.expand_dims(labels, 0), knp.negative(knp.sum(scores, axis=1, keepdims=True))


def _beam_search(x, lengths, beam_width, top_paths, mask_index):
    if tensor(x).is_symbolic:
        raise NotTraceable("ctc_decode: beam search follows the values, so it can't be traced; call it on logits.")
    log_p = log_softmax(x).numpy().astype("float64")
    paths = np.full((top_paths, *x.shape[:2]), -1, "int32")
    scores = np.full((x.shape[0], top_paths), -np.inf, "float32")
    for b, length in enumerate(lengths.numpy()):
        for rank, (prefix, score) in enumerate(_best_prefixes(log_p[b, :length], beam_width, mask_index)[:top_paths]):
            paths[rank, b, : len(prefix)] = prefix
            scores[b, rank] = score
    return backend.convert_to_tensor(paths), backend.convert_to_tensor(scores)


def _best_prefixes(log_p, beam_width, blank):
    """[(labels, log probability)], best first, by the sums over paths that end in a blank and that do not."""
    beam = {(): (0.0, -math.inf)}
    for row in log_p:
        extended = {}

        def add(prefix, ends_blank, score, extended=extended):
            sums = extended.setdefault(prefix, [-math.inf, -math.inf])
            sums[ends_blank] = np.logaddexp(sums[ends_blank], score)

        for prefix, (after_blank, after_label) in beam.items():
            total = np.logaddexp(after_blank, after_label)
            for label, score in enumerate(row):
                if label == blank:
                    add(prefix, 0, total + score)
                elif prefix and prefix[-1] == label:
                    add(prefix, 1, after_label + score)
                    add((*prefix, label), 1, after_blank + score)
                else:
                    add((*prefix, label), 1, total + score)
        best = sorted(extended.items(), key=lambda item: np.logaddexp(*item[1]), reverse=True)
        beam = dict(best[:beam_width])
    return sorted(((p, np.logaddexp(*sums)) for p, sums in beam.items()), key=lambda item: item[1], reverse=True)


__all__ = ["ctc_decode", "ctc_loss"]
