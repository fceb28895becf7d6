"""Padding and text. The Tokenizer's expected values are those of Keras 2."""

import json

import numpy as np
import pytest

from dlcore.preprocessing.sequence import pad_sequences
from dlcore.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

TEXTS = ["The cat sat on the mat.", "The dog sat on the log!", "Dogs and cats living together"]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 4, "value": -1}, [[-1, -1, -1, 1], [-1, -1, 2, 3], [-1, 4, 5, 6]]),
    ],
)
def test_pad_sequences(arguments, expected):
    padded = pad_sequences([[1], [2, 3], [4, 5, 6]], **arguments)
    assert padded.tolist() == expected and padded.dtype == np.int32


def test_pad_sequences_of_vectors_strings_and_empty_ones():
    vectors = [np.ones((2, 3)), np.zeros((1, 3))]
    assert pad_sequences(vectors, dtype="float32", padding="post").tolist()[1] == [[0, 0, 0], [0, 0, 0]]
    words = pad_sequences([["a"], [], ["long one", "b"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["-", "-"], ["long one", "b"]]
    assert pad_sequences([], maxlen=3).shape == (0, 3)


@pytest.mark.parametrize(
    "sequences, arguments, message",
    [
        ([1, 2], {}, "item 0 is 1"),
        (iter([[1]]), {}, "expects a list of sequences"),
        ([[1]], {"padding": "left"}, 'padding must be "pre" or "post". Got \'left\''),
        ([[1]], {"truncating": None}, "truncating must be"),
        ([[1]], {"maxlen": 0}, "maxlen must be at least 1. Got 0"),
        ([[1]], {"value": "x"}, "Pass dtype=object"),
        ([np.ones((1, 2)), np.ones((1, 3))], {}, r"sequence 1 have shape \(3,\), those before \(2,\)"),
    ],
)
def test_pad_sequences_errors(sequences, arguments, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(sequences, **arguments)


def test_text_to_word_sequence():
    assert text_to_word_sequence("Hello, (big)  World!") == ["hello", "big", "world"]
    assert text_to_word_sequence("a,b;C", filters=";", lower=False, split=",") == ["a", "b", "C"]


def test_tokenizer_numbers_by_frequency():
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(TEXTS)
    assert list(tokenizer.word_index)[:4] == ["the", "sat", "on", "cat"]
    assert tokenizer.document_count == 3 and tokenizer.word_counts["the"] == 4 and tokenizer.word_docs["the"] == 2
    assert tokenizer.texts_to_sequences(["the dog flies on"]) == [[1, 6, 3]]
    assert tokenizer.sequences_to_texts([[1, 4, 99]]) == ["the cat"]


def test_tokenizer_with_num_words_and_oov():
    tokenizer = Tokenizer(num_words=4, oov_token="<OOV>")
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.word_index["<OOV>"] == 1 and tokenizer.word_index["the"] == 2
    assert tokenizer.texts_to_sequences(["the bird sat on"]) == [[2, 1, 3, 1]]
    assert tokenizer.sequences_to_texts([[2, 7, 3]]) == ["the <OOV> sat"]
    assert Tokenizer(nb_words=3).num_words == 3
    with pytest.raises(TypeError, match="numwords"):
        Tokenizer(numwords=3)


def test_tokenizer_on_characters_and_lists():
    tokenizer = Tokenizer(char_level=True)
    tokenizer.fit_on_texts(["Abba", "b"])
    assert tokenizer.word_index == {"b": 1, "a": 2}
    tokenizer = Tokenizer(lower=False)
    tokenizer.fit_on_texts([["A", "b c", "A"]])
    assert tokenizer.texts_to_sequences([["b c", "a", "A"]]) == [[2, 1]]


def test_tokenizer_matrix():
    tokenizer = Tokenizer(num_words=4)
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.texts_to_matrix(TEXTS, "count").tolist() == [[0, 2, 1, 1], [0, 2, 1, 1], [0, 0, 0, 0]]
    assert tokenizer.texts_to_matrix(TEXTS).tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]
    assert tokenizer.texts_to_matrix(TEXTS, "freq")[0].tolist() == [0, 0.5, 0.25, 0.25]
    tfidf = tokenizer.texts_to_matrix(TEXTS, "tfidf")
    np.testing.assert_allclose(tfidf[0], [0, (1 + np.log(2)) * np.log(2), np.log(2), np.log(2)])
    with pytest.raises(ValueError, match="Got 'tf'"):
        tokenizer.texts_to_matrix(TEXTS, "tf")
    with pytest.raises(ValueError, match="Call fit_on_texts first"):
        Tokenizer().sequences_to_matrix([[1]])
    with pytest.raises(ValueError, match="document counts"):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")


def test_tokenizer_json_round_trip():
    tokenizer = Tokenizer(num_words=5, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    text = tokenizer.to_json(indent=1)
    copy = tokenizer_from_json(text)
    assert json.loads(text)["class_name"] == "Tokenizer" and copy.get_config() == tokenizer.get_config()
    np.testing.assert_array_equal(copy.texts_to_matrix(TEXTS, "tfidf"), tokenizer.texts_to_matrix(TEXTS, "tfidf"))
    with pytest.raises(ValueError, match="'config'"):
        tokenizer_from_json("[]")


def test_hashing():
    assert hashing_trick("the cat the", 50, "md5") == [43, 32, 43]
    numbers = one_hot("a b a", 10)
    assert numbers[0] == numbers[2] and all(1 <= n < 10 for n in numbers)
    assert hashing_trick("A-b", 5, lambda word: len(word), analyzer=list) == [2, 2, 2]
