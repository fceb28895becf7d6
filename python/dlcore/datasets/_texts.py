"""Texts as lists of word numbers, the most frequent word first."""

import json
from itertools import chain

import numpy as np

from dlcore.datasets._files import damaged, obtain

_HIGHEST_RANK = 1 << 20


def number_texts(path, parts, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from):
    """The (texts, labels) of each part shuffled, without long texts, and with their ranks turned into numbers."""
    highest = max(_highest_rank(path, *part) for part in parts)
    generator = np.random.RandomState(seed)
    parts = [_shuffle(*part, generator) for part in parts]
    if maxlen:
        parts = [_drop_long(*part, maxlen - (start_char is not None)) for part in parts]
        if not all(len(texts) for texts, _ in parts):
            raise ValueError(f"No text of {path} is shorter than maxlen={maxlen}. Pass a larger maxlen.")
    index_from = index_from or 0
    if not num_words:
        kept_highest = max(max(text, default=0) for texts, _ in parts for text in texts) if maxlen else highest
        num_words = max(kept_highest + index_from, start_char or 0)
    keep = range(skip_top, num_words)
    table = [rank if rank in keep else oov_char for rank in range(index_from, index_from + highest + 1)]
    start = [] if start_char is None else [start_char if start_char in keep else oov_char]
    return [(_renumber(texts, start, table, drop=oov_char is None), labels) for texts, labels in parts]


def _highest_rank(path, texts, labels):
    """The largest word number; refuses what is not one list of ranks per label."""
    if len(texts) != len(labels):
        raise damaged(path, f"{len(texts)} texts but {len(labels)} labels")
    if not all(type(text) is list for text in texts):
        raise damaged(path, "a text is not a list of word numbers")
    try:
        ranks = np.fromiter(chain.from_iterable(texts), np.int32)
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(path, f"a text is not a list of word numbers ({error})") from error
    if ranks.min(initial=0) < 0 or ranks.max(initial=0) > _HIGHEST_RANK:
        raise damaged(path, f"word numbers range over {ranks.min()}..{ranks.max()}, expected 0..{_HIGHEST_RANK}")
    return int(ranks.max(initial=0))


def _shuffle(texts, labels, generator):
    order = np.arange(len(texts))
    generator.shuffle(order)
    return texts[order], labels[order]


def _drop_long(texts, labels, maxlen):
    short = np.array([len(text) < maxlen for text in texts], bool)
    return texts[short], labels[short]


def _renumber(texts, start, table, drop):
    """Each text as `start` and the table's entry of each rank; with `drop`, entries None are left out."""
    renumbered = np.empty(len(texts), dtype=object)
    for i, text in enumerate(texts):
        numbers = start + list(map(table.__getitem__, text))
        renumbered[i] = [number for number in numbers if number is not None] if drop else numbers
    return renumbered


def read_word_index(name, url, file_hash):
    """The dict word -> rank of a JSON file."""
    path = obtain(name, url=url, file_hash=file_hash)
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(index, dict) or not all(type(rank) is int for rank in index.values()):
        raise damaged(path, "it is not a dict of word ranks")
    return index
