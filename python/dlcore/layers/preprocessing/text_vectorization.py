import math

import numpy as np

from dlcore import _core, ops
from dlcore.backend.arguments import is_int, one_of
from dlcore.layers.preprocessing.index_lookup import StringLookup
from dlcore.layers.preprocessing.values import LayerOfValues, objects, sparse_flag, strings_of

_STANDARDIZE = ("lower", "strip_punctuation", "lower_and_strip_punctuation")
_SPLIT = ("whitespace", "character")


class TextVectorization(LayerOfValues):
    """Texts as sequences of word numbers, or as vectors of word counts.

    Each text is standardized and split into words, neighbouring words may be joined to n-grams, and each is looked up
    in a vocabulary. Index 0 stands for no word (padding; in the mode `"int"` only), the next for unknown words.

    Args:
        max_tokens: int > 1 or None (default): the largest size of the vocabulary, with the special tokens.
        standardize: `"lower_and_strip_punctuation"` (default), `"lower"`, `"strip_punctuation"` (ASCII only), None, or
            a function from an array of strings to one of the same shape.
        split: `"whitespace"` (default), `"character"`, None, or a function from an array of strings (batch,) to lists
            of strings.
        ngrams: int n: all of 1 to n words; tuple of ints: of so many words; None (default): words alone.
        output_mode: `"int"` (default): word numbers, int64, filled up with 0 to the longest text; `"multi_hot"`,
            `"count"`, `"tf_idf"`: vectors as of `StringLookup`.
        output_sequence_length: int or None (default): cut or fill up to so many word numbers.
        pad_to_max_tokens, vocabulary, idf_weights, sparse, encoding: as `StringLookup`.
        name: str; default: made unique.
        has_input_vocabulary, vocabulary_size: of a configuration, whose vocabulary is in a file.
        ragged: kept for Keras's signature: there are no ragged tensors, rows are filled up.

    There are no tensors of strings: the call takes arrays or lists of them, or an `Input` of dtype `"string"`.

    Input shape: (batch,) or (batch, 1); with split=None any.
    Output shape: (batch, words) or (batch, tokens).

    Example:

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer(["Foo qux, bar!", "qux baz"]).numpy()
    array([[4, 1, 3, 0],
           [1, 2, 0, 0]])
    """

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
        idf_weights=None,
        sparse=False,
        ragged=False,
        encoding="utf-8",
        name=None,
        has_input_vocabulary=None,
        vocabulary_size=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        kind = type(self).__name__
        self.sparse = sparse_flag(kind, sparse, output_mode)
        if ragged:
            raise ValueError(
                f"{kind}: there are no ragged tensors. Got ragged={ragged}; leave it out, rows are padded."
            )
        self._standardize = _choice(kind, "standardize", standardize, _STANDARDIZE)
        self._split = _choice(kind, "split", split, _SPLIT)
        self._ngrams = ngrams
        widths = ngrams if isinstance(ngrams, tuple) else [1 if ngrams is None else ngrams]
        if not all(is_int(width) and width > 0 for width in widths):
            raise ValueError(f"{kind}: ngrams must be an int, a tuple of ints or None, all > 0. Got ngrams={ngrams!r}.")
        # Not a tuple as an attribute: those are searched for layers.
        self._output_sequence_length = output_sequence_length
        self._encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=output_mode,
            sparse=self.sparse,
            encoding=encoding,
            has_input_vocabulary=has_input_vocabulary,
            vocabulary_size=vocabulary_size,
        )
        self._output_mode = self._lookup_layer.output_mode
        length = output_sequence_length
        if length is not None and (self._output_mode != "int" or not is_int(length) or length < 0):
            raise ValueError(
                f'{kind}: output_sequence_length must be an int >= 0, and goes with output_mode="int" only. Got '
                f"output_sequence_length={length!r}, output_mode={self._output_mode!r}."
            )

    def adapt(self, data, batch_size=None, steps=None):
        """Makes a vocabulary of the words of the data, the most frequent first.

        Args:
            data: an array or list of texts, or an iterable of batches of texts.
            batch_size: kept for Keras's signature.
            steps: int or None: how many batches are taken.
        """
        self.reset_state()
        if isinstance(data, (list, tuple, np.ndarray)):
            texts, shape = strings_of(self, data, self._encoding)
            self._count(texts, (*shape, 1) if len(shape) == 1 else shape)
        else:
            for i, batch in enumerate(data):
                if steps is not None and i >= steps:
                    break
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Counts the words of a batch of texts."""
        self._count(*strings_of(self, data, self._encoding))

    def _count(self, texts, shape):
        texts, sizes, splitter, _ = self._documents(texts, shape)
        self._lookup_layer._count(texts, sizes, splitter)

    def finalize_state(self):
        """Makes the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self):
        """Forgets the counts, but not the vocabulary."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens=True):
        """The words in the order of their indices; see `StringLookup`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self):
        """How many words there are, with the special tokens."""
        return self._lookup_layer.vocabulary_size()

    def _known_size(self):
        return self._lookup_layer._known_size()

    @property
    def _is_given(self):
        return self._lookup_layer._is_given

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Sets the vocabulary; see `StringLookup`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def _documents(self, texts, shape):
        """What the core splits and looks up: standardized strings, how many of them make each document, how each is
        split; and the shape of the documents."""
        standardize, split = self._standardize or "", self._split
        if callable(standardize):
            texts, standardize = strings_of(self, standardize(_array(texts, shape)), self._encoding)[0], ""
        if split is None:
            sizes, shape = np.full(math.prod(shape[:-1]), shape[-1] if shape else 1), shape[:-1]
        elif len(shape) > 1 and shape[-1] != 1:
            raise ValueError(
                f"{self._label()} splits texts (batch,) or (batch, 1). Got shape {shape}. Pass split=None for "
                "inputs that are split already."
            )
        else:
            sizes, shape = 1, shape[:-1] if len(shape) > 1 else shape
        flags = {"lower": "lower" in standardize, "strip_punctuation": "strip_punctuation" in standardize}
        if callable(split):
            rows = split(_array(_core.standardized_texts(texts, **flags), shape or (1,)))
            rows = rows.to_list() if hasattr(rows, "to_list") else rows  # of a ragged tensor of TensorFlow
            rows = [strings_of(self, row, self._encoding)[0].tolist() for row in rows]
            texts, sizes = objects([word for row in rows for word in row]), np.array(list(map(len, rows)), "int64")
            split, flags = None, {}
        widths = range(1, self._ngrams + 1) if is_int(self._ngrams) else self._ngrams
        splitter = _core.Splitter(**flags, split=split, widths=[1] if widths is None else list(widths))
        return texts, sizes, splitter, shape

    def call(self, inputs):
        texts, sizes, splitter, shape = self._documents(*strings_of(self, inputs, self._encoding))
        lookup, whole = self._lookup_layer, self._output_mode == "int"
        if not self._sees_examples:
            lookup._require_vocabulary(self)
        depth = None if whole else lookup._depth()
        # What fills rows up leaves no trace in a vector.
        found = lookup._find(texts, sizes, splitter, self._output_sequence_length, 0 if whole else depth)
        found = found.reshape(*shape, found.shape[-1])
        return ops.convert_to_tensor(found) if whole else lookup._encode(found, depth, self._sees_examples)

    def save_own_variables(self, store):
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store):
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path):
        """Writes the vocabulary into the folder, unless the configuration holds it."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path):
        """Reads the vocabulary from the folder."""
        self._lookup_layer.load_assets(dir_path)

    def get_config(self):
        lookup = self._lookup_layer.get_config()
        shared = ("max_tokens", "output_mode", "pad_to_max_tokens", "sparse", "vocabulary", "idf_weights", "encoding")
        return {
            **super().get_config(),
            **{name: lookup[name] for name in shared},
            "standardize": self._standardize,
            "split": self._split,
            "ngrams": self._ngrams,
            "output_sequence_length": self._output_sequence_length,
            "ragged": False,
            "vocabulary_size": lookup["vocabulary_size"] or self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config):
        from dlcore.saving import serialization

        config = dict(config)
        for name in ("standardize", "split"):
            if isinstance(config.get(name), dict):
                config[name] = serialization.deserialize_keras_object(config[name])
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        if isinstance(config.get("vocabulary"), str):
            raise ValueError(f"A configuration names the file {config['vocabulary']!r}, which is not read.")
        return cls(**config)


def _choice(kind, name, value, choices):
    """One of the choices' names, a function or None."""
    return value if value is None or callable(value) else one_of(kind, name, value, choices)


def _array(texts, shape):
    """The strings as an array of NumPy's strings."""
    return np.array(texts, str).reshape(shape)
