"""Layers of strings and categories with data: `L` is keras.layers or dlcore.layers.

make_keras_preprocessing.py stores what Keras computes for them, tests/python/test_preprocessing_layers.py compares.
"""

import numpy as np

TEXTS = [
    "The quick brown fox, the lazy dog!",
    "A quick test: does it work?",
    "\tthe   fox\u00a0says\nÉtude... étude ",
    "",
    "dog dog DOG [UNK] it's",
]
WORDS = np.array(
    [["a", "b", "c"], ["b", "b", "d"], ["e", "", "a"], ["long word of more than sixty-four bytes" * 3, "b", "é"]]
)
INTS = np.array([[12, 36, 7], [36, 36, -5], [0, 1138, 12], [2**40, 36, 7]])
NUMBERS = np.round(np.random.RandomState(0).standard_normal((40, 10)) * 256).astype("float32") / 256

# name: (constructor, data to adapt to or None, inputs)
CASES = {
    "string_lookup": (lambda L: L.StringLookup(vocabulary=["b", "a", "é"]), None, WORDS),
    "string_lookup_mask": (lambda L: L.StringLookup(vocabulary=["b", "a", "é"], mask_token=""), None, WORDS),
    "string_lookup_buckets": (lambda L: L.StringLookup(vocabulary=["b", "a"], num_oov_indices=5), None, WORDS),
    "string_lookup_salt": (lambda L: L.StringLookup(vocabulary=["b"], num_oov_indices=7, salt=[3, 9]), None, WORDS),
    "string_lookup_invert": (
        lambda L: L.StringLookup(vocabulary=["b", "a"], invert=True),
        None,
        np.array([[0, 1], [2, 9]]),
    ),
    "string_lookup_one_hot": (
        lambda L: L.StringLookup(vocabulary=["b", "a"], output_mode="one_hot"),
        None,
        WORDS[:, :1],
    ),
    "string_lookup_one_hots": (lambda L: L.StringLookup(vocabulary=["b", "a"], output_mode="one_hot"), None, WORDS),
    "string_lookup_multi_hot": (
        lambda L: L.StringLookup(vocabulary=["b", "a"], output_mode="multi_hot", mask_token="c"),
        None,
        WORDS,
    ),
    "string_lookup_count": (
        lambda L: L.StringLookup(8, vocabulary=["b", "a"], output_mode="count", pad_to_max_tokens=True),
        None,
        WORDS,
    ),
    "string_lookup_tf_idf": (
        lambda L: L.StringLookup(vocabulary=["b", "a"], idf_weights=[0.25, 0.75], output_mode="tf_idf"),
        None,
        WORDS,
    ),
    "string_lookup_tf_idf_special": (
        lambda L: L.StringLookup(vocabulary=["[UNK]", "b"], idf_weights=[0.25, 0.75], output_mode="tf_idf"),
        None,
        WORDS,
    ),
    "string_lookup_adapted": (lambda L: L.StringLookup(), WORDS, WORDS),
    "string_lookup_adapted_few": (lambda L: L.StringLookup(4, mask_token="b"), WORDS, WORDS),
    "string_lookup_adapted_tf_idf": (
        lambda L: L.StringLookup(8, output_mode="tf_idf", pad_to_max_tokens=True),
        WORDS[:3, :2],
        WORDS,
    ),
    "string_lookup_adapted_list": (lambda L: L.StringLookup(output_mode="tf_idf"), WORDS[:, 1], WORDS),
    "integer_lookup": (lambda L: L.IntegerLookup(vocabulary=[36, 12, -5]), None, INTS),
    "integer_lookup_mask": (
        lambda L: L.IntegerLookup(vocabulary=[36, 12], mask_token=0, num_oov_indices=3),
        None,
        INTS,
    ),
    "integer_lookup_farmhash": (
        lambda L: L.IntegerLookup(vocabulary=[36], num_oov_indices=4, oov_method="farmhash"),
        None,
        INTS,
    ),
    "integer_lookup_salt": (
        lambda L: L.IntegerLookup(vocabulary=[36], num_oov_indices=4, oov_method="farmhash", salt=7),
        None,
        INTS,
    ),
    "integer_lookup_no_oov": (
        lambda L: L.IntegerLookup(vocabulary=[36, 12, 7, -5, 1138, 2**40], num_oov_indices=0, mask_token=0),
        None,
        INTS,
    ),
    "integer_lookup_invert": (
        lambda L: L.IntegerLookup(vocabulary=[36, 12], mask_token=5, invert=True),
        None,
        np.array([[0, 1, 2], [3, 9, -1]]),
    ),
    "integer_lookup_multi_hot": (
        lambda L: L.IntegerLookup(vocabulary=[36, 12], output_mode="multi_hot", mask_token=0),
        None,
        INTS,
    ),
    "integer_lookup_adapted": (lambda L: L.IntegerLookup(5), INTS, INTS),
    "integer_lookup_adapted_tf_idf": (lambda L: L.IntegerLookup(output_mode="tf_idf"), INTS, INTS),
    "text": (lambda L: L.TextVectorization(), TEXTS, TEXTS),
    "text_length": (lambda L: L.TextVectorization(6, output_sequence_length=5), TEXTS, np.array(TEXTS)[:, None]),
    "text_lower": (lambda L: L.TextVectorization(standardize="lower"), TEXTS, TEXTS),
    "text_strip": (lambda L: L.TextVectorization(standardize="strip_punctuation"), TEXTS, TEXTS),
    "text_plain": (lambda L: L.TextVectorization(standardize=None), TEXTS, TEXTS),
    "text_characters": (lambda L: L.TextVectorization(split="character"), TEXTS, TEXTS),
    "text_ngrams": (lambda L: L.TextVectorization(ngrams=2), TEXTS, TEXTS),
    "text_trigrams": (lambda L: L.TextVectorization(ngrams=(1, 3), output_mode="count"), TEXTS, TEXTS),
    "text_unsplit": (lambda L: L.TextVectorization(split=None, output_sequence_length=4), WORDS, WORDS),
    "text_unsplit_ngrams": (lambda L: L.TextVectorization(split=None, ngrams=(2,)), WORDS, WORDS),
    "text_multi_hot": (lambda L: L.TextVectorization(output_mode="multi_hot"), TEXTS, TEXTS),
    "text_count": (lambda L: L.TextVectorization(12, output_mode="count", pad_to_max_tokens=True), TEXTS, TEXTS),
    "text_tf_idf": (lambda L: L.TextVectorization(output_mode="tf_idf"), TEXTS, TEXTS),
    "text_vocabulary": (lambda L: L.TextVectorization(vocabulary=["fox", "dog", "the"]), None, TEXTS),
    "text_vocabulary_tf_idf": (
        lambda L: L.TextVectorization(vocabulary=["fox", "dog"], idf_weights=[0.5, 1.0], output_mode="tf_idf"),
        None,
        TEXTS,
    ),
    "hashing": (lambda L: L.Hashing(1000), None, WORDS),
    "hashing_mask": (lambda L: L.Hashing(5, mask_value="b"), None, WORDS),
    "hashing_salt": (lambda L: L.Hashing(1000, salt=[133, 137]), None, WORDS),
    "hashing_salt_int": (lambda L: L.Hashing(1000, salt=133), None, INTS),
    "hashing_ints": (lambda L: L.Hashing(1000, mask_value=36, dtype="int32"), None, INTS),
    "hashing_floats": (lambda L: L.Hashing(1000), None, NUMBERS[:3] * 4),
    "hashing_one_hot": (lambda L: L.Hashing(6, output_mode="one_hot"), None, WORDS[:, :1]),
    "hashing_one_hots": (lambda L: L.Hashing(6, output_mode="one_hot"), None, WORDS),
    "hashing_multi_hot": (lambda L: L.Hashing(6, output_mode="multi_hot"), None, INTS),
    "hashing_count": (lambda L: L.Hashing(3, output_mode="count"), None, WORDS),
    "discretization": (lambda L: L.Discretization([-0.5, 0.0, 1.25]), None, NUMBERS[:4]),
    "discretization_ints": (lambda L: L.Discretization([-0.5, 12.0, 36.5]), None, INTS),
    "discretization_one_hot": (lambda L: L.Discretization([-0.5, 0.0], output_mode="one_hot"), None, NUMBERS[:4, :1]),
    "discretization_multi_hot": (lambda L: L.Discretization([-0.5, 0.0], output_mode="multi_hot"), None, NUMBERS[:4]),
    "discretization_count": (lambda L: L.Discretization([-0.5, 0.0], output_mode="count"), None, NUMBERS[:4]),
    "discretization_adapted": (lambda L: L.Discretization(num_bins=7), NUMBERS, NUMBERS),
    "discretization_adapted_coarsely": (lambda L: L.Discretization(num_bins=4, epsilon=0.07), NUMBERS, NUMBERS),
    "discretization_adapted_to_batches": (lambda L: L.Discretization(num_bins=5), list(NUMBERS), NUMBERS),
    "category_encoding": (lambda L: L.CategoryEncoding(4), None, np.array([[0, 1, 1], [3, 3, 0]])),
    "category_encoding_vector": (lambda L: L.CategoryEncoding(4, "count"), None, np.array([0, 3, 3])),
    "category_encoding_one_hot": (lambda L: L.CategoryEncoding(4, "one_hot"), None, np.array([[0], [3], [2]])),
    "category_encoding_one_hots": (lambda L: L.CategoryEncoding(4, "one_hot"), None, np.array([[0, 1], [3, 3]])),
    "category_encoding_count": (lambda L: L.CategoryEncoding(4, "count"), None, np.array([[0, 1, 1], [3, 9, 0]])),
}

# name: (constructor, list of inputs)
CROSSINGS = {
    "crossing": (lambda L: L.HashedCrossing(1000), [WORDS[:, 0], INTS[:, 1]]),
    "crossing_of_three": (lambda L: L.HashedCrossing(10**9), [INTS[:, :1], WORDS[:, 1:2], INTS[:, 2:]]),
    "crossing_one_hot": (lambda L: L.HashedCrossing(6, output_mode="one_hot"), [WORDS[:, :1], WORDS[:, 1:2]]),
}
