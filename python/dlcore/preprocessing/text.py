"""Text to word numbers: the Tokenizer of Keras 2 and its helpers."""

import collections
import hashlib
import json

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(input_text, filters=FILTERS, lower=True, split=" "):
    """The words of a text.

    Args:
        input_text: string.
        filters: characters that separate words like `split`.
        lower: whether the text is put in lower case.
        split: string between words.

    Example:
        >>> text_to_word_sequence("Hello, World!")
        ['hello', 'world']
    """
    if lower:
        input_text = input_text.lower()
    separated = input_text.translate(str.maketrans(dict.fromkeys(filters, split)))
    return [word for word in separated.split(split) if word]


def hashing_trick(text, n, hash_function=None, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """The words of a text as numbers 1 .. n-1 by a hash; different words may share a number.

    Args:
        text: string.
        n: size of the number range.
        hash_function: word -> integer, "md5" (the same in each run), or None for Python's `hash`, which differs from
            run to run.
        filters, lower, split: see `text_to_word_sequence`.
        analyzer: function text -> words that replaces these three.
    """
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    return [hash_function(word) % (n - 1) + 1 for word in words]


def one_hot(input_text, n, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """`hashing_trick` with Python's `hash`: word numbers (despite its name, no one-hot vectors)."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def _md5(word):
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Numbers the words of texts by frequency: 1 is the most frequent (2 with an `oov_token`), 0 is left for padding.

    Args:
        num_words: only words numbered below this are kept by the conversions; None keeps all.
        filters: characters that separate words.
        lower: whether texts are put in lower case.
        split: string between words.
        char_level: whether each character is a word.
        oov_token: word that stands for unknown ones; it gets number 1. None drops unknown words.
        analyzer: function text -> words that replaces filters, lower and split.

    Example:
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["the cat", "the dog sat"])
        >>> tokenizer.texts_to_sequences(["the dog"])
        [[1, 3]]
    """

    def __init__(
        self,
        num_words=None,
        filters=FILTERS,
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
        analyzer=None,
        **kwargs,
    ):
        if "nb_words" in kwargs:
            num_words = kwargs.pop("nb_words")
        self.document_count = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer got unexpected arguments {sorted(kwargs)}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.index_docs = collections.defaultdict(int)
        self.word_index = {}
        self.index_word = {}

    def fit_on_texts(self, texts):
        """Counts the words of `texts` (strings, or lists of words) and numbers all words seen so far."""
        for text in texts:
            self.document_count += 1
            for word, count in collections.Counter(self._words(text)).items():
                self.word_counts[word] = self.word_counts.get(word, 0) + count
                self.word_docs[word] += 1
        by_count = sorted(self.word_counts.items(), key=lambda item: item[1], reverse=True)
        vocabulary = [] if self.oov_token is None else [self.oov_token]
        vocabulary.extend(word for word, _ in by_count)
        self.word_index = {word: i for i, word in enumerate(vocabulary, 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences):
        """Counts in how many sequences each number occurs, for the "tfidf" matrix."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for i in set(sequence):
                self.index_docs[i] += 1

    def texts_to_sequences(self, texts):
        """List of word numbers of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts):
        """Yields the list of word numbers of each text."""
        kept = {word: i for word, i in self.word_index.items() if not self.num_words or i < self.num_words}
        unknown = self.word_index.get(self.oov_token)
        for text in texts:
            numbers = (kept.get(word, unknown) for word in self._words(text))
            yield [i for i in numbers if i is not None]

    def sequences_to_texts(self, sequences):
        """Text of each list of word numbers, words joined by spaces."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences):
        """Yields the text of each list of word numbers."""
        kept = {i: word for i, word in self.index_word.items() if not self.num_words or i < self.num_words}
        unknown = self.oov_token if self.oov_token in self.word_index else None
        for sequence in sequences:
            words = (kept.get(i, unknown) for i in sequence)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts, mode="binary"):
        """Array (len(texts), num_words) with one column per word; see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        """Array (len(sequences), num_words) with one column per word number.

        Args:
            sequences: lists of word numbers.
            mode: "binary" (1 where the word occurs), "count", "freq" (count / length), or "tfidf":
                (1 + ln count) * ln(1 + documents / (1 + documents with the word)).
        """
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ValueError(f'mode must be "binary", "count", "freq" or "tfidf". Got {mode!r}.')
        if not self.num_words and not self.word_index:
            raise ValueError("The tokenizer knows no words. Call fit_on_texts first, or pass num_words.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError('mode="tfidf" needs document counts. Call fit_on_texts first.')
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences):
            numbers, counts = np.unique([i for i in sequence if i < width], return_counts=True)
            if len(numbers):
                row[numbers.astype(int)] = self._weights(numbers, counts, len(sequence), mode)
        return matrix

    def _weights(self, numbers, counts, length, mode):
        if mode == "count":
            return counts
        if mode == "freq":
            return counts / length
        if mode == "binary":
            return 1
        documents = np.array([self.index_docs.get(int(i), 0) for i in numbers])
        return (1 + np.log(counts)) * np.log(1 + self.document_count / (1 + documents))

    def _words(self, text):
        """The words of a string, or the given words."""
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return text
            return [word.lower() for word in text] if isinstance(text, list) else text.lower()
        if self.analyzer:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def get_config(self):
        """The settings and counts; the counts are JSON strings, as in Keras."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    @classmethod
    def from_config(cls, config):
        """The tokenizer that `get_config` described."""
        config = dict(config)
        tables = {
            name: json.loads(config.pop(name, "{}"))
            for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        }
        tokenizer = cls(**config)
        tokenizer.word_counts.update(tables["word_counts"])
        tokenizer.word_docs.update(tables["word_docs"])
        tokenizer.word_index = tables["word_index"]
        # JSON turned the integer keys into strings.
        tokenizer.index_docs.update({int(i): count for i, count in tables["index_docs"].items()})
        tokenizer.index_word = {int(i): word for i, word in tables["index_word"].items()}
        return tokenizer

    def to_json(self, **kwargs):
        """The tokenizer as JSON; `kwargs` go to `json.dumps`."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string):
    """The tokenizer that `Tokenizer.to_json` wrote."""
    document = json.loads(json_string)
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise ValueError("tokenizer_from_json expects what Tokenizer.to_json wrote: an object with a 'config'.")
    return Tokenizer.from_config(config)
