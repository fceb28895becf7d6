"""StringLookup and IntegerLookup: values by their places in a vocabulary."""

import collections
import functools
import math
import os
import types

import numpy as np

from dlcore import _core, backend, ops
from dlcore.backend.arguments import int_from, is_int, one_of
from dlcore.layers.holder import note_structure_change
from dlcore.layers.layer import Layer
from dlcore.layers.preprocessing.category_encoding import encode, standard_mode
from dlcore.layers.preprocessing.hashing import core_key, key_of
from dlcore.layers.preprocessing.values import LooksAtValues, objects, sparse_flag, strings_of

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_FILE = "vocabulary.txt"


# Values that are tokens as they are.
_WHOLE = _core.Splitter()


class _Vocabulary:
    """Tokens without the special ones.

    Args:
        tokens: list; the first has the index `start`.
        special: {token: index} beside them.
        unknown: arguments of the core's table for tokens out of the vocabulary.
    """

    def __init__(self, tokens, start, special, **unknown):
        self.tokens = tokens
        self.start = start
        self.special = special
        self.unknown = unknown

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "table"}

    @functools.cached_property
    def table(self):
        """The core's table, which finds tokens."""
        indices = [*range(self.start, self.start + len(self.tokens)), *self.special.values()]
        return _core.Vocabulary(_array_of([*self.tokens, *self.special]), np.array(indices, "int64"), **self.unknown)

    def sorted(self):
        """The tokens of a vocabulary of integers in ascending order, and their indices."""
        tokens = np.array(self.tokens, "int64")
        order = np.argsort(tokens)
        return ops.convert_to_tensor(tokens[order]), ops.convert_to_tensor(order + self.start)


def _array_of(tokens):
    """Ints or strings as the core takes them."""
    return np.array(tokens, "int64") if tokens and is_int(tokens[0]) else objects(tokens)


class IndexLookup(Layer):
    """Base: each value's index in a vocabulary. A subclass says how values are looked up.

    Index 0 is that of the mask token, if there is one (only in the mode `"int"`); then come `num_oov_indices` for
    values out of the vocabulary, then the vocabulary.
    """

    _tokens_are_ints = False
    _sees_examples = False  # see on_examples()

    def __init__(
        self,
        max_tokens,
        num_oov_indices,
        mask_token,
        oov_token,
        vocabulary,
        idf_weights,
        invert,
        output_mode,
        pad_to_max_tokens,
        sparse,
        oov_method,
        salt,
        name,
        has_input_vocabulary=None,
        vocabulary_size=None,
        trainable=True,
        dtype=None,
    ):
        super().__init__(name=name)
        kind = type(self).__name__
        self.sparse = sparse_flag(kind, sparse, output_mode)
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.output_mode = standard_mode(kind, output_mode, _MODES)
        self.pad_to_max_tokens = pad_to_max_tokens
        self.oov_method = one_of(kind, "oov_method", oov_method, ("floormod", "farmhash"))
        self.salt = key_of(kind, salt)
        self._check(kind, vocabulary, idf_weights)
        self._stored_size = vocabulary_size
        self._is_given = vocabulary is not None if has_input_vocabulary is None else has_input_vocabulary
        # For the configuration, which holds lists; that of a file is saved as an asset.
        in_config = None if isinstance(vocabulary, str) else vocabulary
        self._given = types.SimpleNamespace(vocabulary=in_config, idf_weights=idf_weights)
        self._idf = None
        self.built = True
        self._set_tokens([])
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _check(self, kind, vocabulary, idf_weights):
        if self.max_tokens is not None and (not is_int(self.max_tokens) or self.max_tokens <= 1):
            raise ValueError(f"{kind}: max_tokens must be an int > 1 or None. Got max_tokens={self.max_tokens!r}.")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError(f"{kind}: pad_to_max_tokens=True needs max_tokens. Got max_tokens=None.")
        int_from(kind, "num_oov_indices", self.num_oov_indices, 0)
        for name, token in (("mask_token", self.mask_token), ("oov_token", self.oov_token)):
            if token is not None and not (is_int(token) if self._tokens_are_ints else isinstance(token, str)):
                what = "an int" if self._tokens_are_ints else "a string"
                raise ValueError(f"{kind}: {name} must be {what} or None. Got {name}={token!r}.")
        if vocabulary is not None and not isinstance(vocabulary, str) and not hasattr(vocabulary, "__len__"):
            raise ValueError(f"{kind}: vocabulary must be a list, an array or a path. Got vocabulary={vocabulary!r}.")
        if self.invert and self.output_mode != "int":
            raise ValueError(f'{kind}: invert=True goes with output_mode="int" only. Got {self.output_mode!r}.')
        if (idf_weights is not None) != (self.output_mode == "tf_idf" and vocabulary is not None):
            raise ValueError(
                f'{kind}: idf_weights are given exactly when output_mode is "tf_idf" and there is a vocabulary. Got '
                f"output_mode={self.output_mode!r}, idf_weights={idf_weights}."
            )

    # ---- the vocabulary

    def _oov_start(self):
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _token_start(self):
        return self._oov_start() + self.num_oov_indices

    def _special_tokens(self):
        return [self.mask_token] * self._oov_start() + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: bool, default True: with those for masks and values out of the vocabulary.
        """
        return (self._special_tokens() if include_special_tokens else []) + list(self._vocabulary.tokens)

    def vocabulary_size(self):
        """How many tokens there are, with the special ones."""
        return self._token_start() + len(self._vocabulary.tokens)

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Sets the vocabulary.

        Args:
            vocabulary: list or array of tokens, or the path of a text file with one per line; with the special tokens,
                in their order, or without.
            idf_weights: for the mode `"tf_idf"`: list of floats, as long as the vocabulary.
        """
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f'{self._label()}: idf_weights go with output_mode="tf_idf", and with it only. Got '
                f"output_mode={self.output_mode!r}, idf_weights={idf_weights}."
            )
        given = _read(vocabulary) if isinstance(vocabulary, (str, os.PathLike)) else vocabulary
        given = self._as_tokens(given)
        if not given:
            raise ValueError(f"{self._label()}: the vocabulary is empty. Got {vocabulary!r}.")
        start = self._token_start()
        has_special = given[:start] == self._special_tokens()
        tokens = given[start:] if has_special else given
        self._check_tokens(tokens)
        self._set_tokens(tokens)
        if idf_weights is not None:
            self._set_idf(idf_weights, len(given), 0 if has_special else start)

    def _check_tokens(self, tokens):
        repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"{self._label()}: tokens of a vocabulary must differ. These recur: {repeated[:8]}.")
        for reserved, what in ((self.mask_token, "mask"), (self.oov_token if self.invert else None, "oov")):
            if reserved is not None and reserved in tokens:
                raise ValueError(
                    f"{self._label()}: the {what} token {reserved!r} lies within the vocabulary. Leave the special "
                    f"tokens out, or begin the vocabulary with all of them: {self._special_tokens()}."
                )
        size = self._token_start() + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{self._label()}: the vocabulary has {size} tokens with the special ones, more than "
                f"max_tokens={self.max_tokens}."
            )

    def _set_tokens(self, tokens):
        special = {} if self.mask_token is None else {self.mask_token: 0 if self._oov_start() else -1}
        self._vocabulary = _Vocabulary(
            tokens,
            self._token_start(),
            special,
            unknown_start=self._oov_start(),
            unknown_bins=self.num_oov_indices,
            by_remainder=self.oov_method == "floormod",
            key=core_key(self.salt),
        )
        note_structure_change()

    def _set_idf(self, weights, size, missing):
        """The weights with their mean for special tokens that are missing in front, and zeros up to max_tokens."""
        weights = np.asarray(backend.convert_to_numpy(weights), "float64")
        if weights.shape != (size,):
            raise ValueError(
                f"{self._label()}: idf_weights must be as many as the vocabulary's {size} tokens. Got shape "
                f"{weights.shape}."
            )
        behind = max(self.max_tokens - missing - size, 0) if self.pad_to_max_tokens else 0
        self._idf = np.concatenate([np.full(missing, weights.mean()), weights, np.zeros(behind)]).astype("float32")

    @property
    def idf_weights(self):
        """For the mode `"tf_idf"`, once there is a vocabulary: the weights of its tokens, the special ones first."""
        return self._idf

    # ---- adapting

    def adapt(self, data, steps=None):
        """Makes a vocabulary of the data's tokens: the most frequent first; of equals, the last in alphabetical order.

        Args:
            data: an array or list, or an iterable of batches. In the mode `"tf_idf"` each row is a document.
            steps: int or None: how many batches are taken.
        """
        self.reset_state()
        if isinstance(data, (list, tuple, np.ndarray)) or backend.is_tensor(data):
            self._count(*self._documents(data, alone=True))
        else:
            for i, batch in enumerate(data):
                if steps is not None and i >= steps:
                    break
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Counts the tokens of a batch."""
        self._count(*self._documents(data, alone=False))

    def _documents(self, data, alone):
        """Tokens, and how many make each document; the elements of a single axis are one document, or one each."""
        tokens, shape = self._tokens_of(data)
        width = (1 if alone else len(tokens)) if len(shape) < 2 else math.prod(shape[1:])
        return tokens, width or 1

    def _count(self, values, sizes, splitter=_WHOLE):
        if self._is_given:
            raise ValueError(f"{self._label()} was given its vocabulary; adapt() cannot change it.")
        self._counts.add(values, sizes, splitter)

    def finalize_state(self):
        """Makes the vocabulary of what was counted."""
        if self._is_given or not len(self._counts):
            return
        limit = None if self.max_tokens is None else max(self.max_tokens - self._token_start(), 0)
        special = [token for token in (self.mask_token, self.oov_token) if token is not None]
        tokens, found = self._counts.most_frequent(limit, _array_of(special))
        self._set_tokens(tokens)
        if self.output_mode == "tf_idf":
            self._set_idf(np.log(1.0 + self._counts.documents / (1.0 + found)), len(tokens), self._token_start())
        self.reset_state()

    def reset_state(self):
        """Forgets the counts, but not the vocabulary."""
        self._counts = _core.TokenCounts()

    # ---- calls

    def call(self, inputs):
        if self.invert:
            return self._values_at(inputs)
        depth = None if self.output_mode == "int" else self._depth()
        return self._encode(self._indices(inputs), depth, self._sees_examples)

    def _encode(self, indices, depth, sees_examples):
        if self.output_mode == "tf_idf":
            counts = encode(indices, "count", depth, backend.floatx(), sparse=self.sparse)
            if self._idf is None and (sees_examples or backend.is_tensor(counts) and counts.is_symbolic):
                return counts  # the model is made from its configuration, the weights are not read yet
            if self._idf is None:
                raise RuntimeError(f"{self._label()} has no idf_weights yet. Call adapt() or set_vocabulary().")
            if not backend.is_tensor(counts):
                counts.data *= self._idf[counts.indices]
                return counts
            return counts * ops.convert_to_tensor(self._idf, counts.dtype)
        return encode(indices, self.output_mode, depth, "int64", sparse=self.sparse)

    def _known_size(self):
        """The size of the vocabulary, also of one that is not read from its file yet; None when there is none."""
        return self.vocabulary_size() if self._vocabulary.tokens else self._stored_size

    def _depth(self):
        if self.pad_to_max_tokens:
            return self.max_tokens
        size = self._known_size()
        if not size:
            raise RuntimeError(
                f"{self._label()} has no vocabulary yet, which output_mode={self.output_mode!r} needs. Call adapt(), "
                "pass a vocabulary, or set max_tokens and pad_to_max_tokens."
            )
        return size

    def _require_vocabulary(self, layer):
        """A RuntimeError where there is none; `layer` is the one that was called."""
        if not self._vocabulary.tokens:
            raise RuntimeError(f"{layer._label()} has no vocabulary yet. Call adapt(data), or pass a vocabulary.")

    def _find(self, values, sizes=1, splitter=_WHOLE, length=1, padding=0):
        """The indices of each document's tokens, or of each value alone: an int64 array (documents, length). In other
        modes than "int" the mask token has -1, which leaves no trace."""
        try:
            return self._vocabulary.table.find(values, sizes, splitter, length, padding)
        except KeyError as error:
            raise ValueError(
                f"{self._label()}: {error.args[0]!r} is not in the vocabulary, and num_oov_indices=0 allows for no "
                "such value. Set num_oov_indices=1."
            ) from None

    # ---- configuration and state

    def save_own_variables(self, store):
        if self._idf is not None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store):
        if "idf_weights" in store:
            self._idf = np.asarray(store["idf_weights"], "float32")
            note_structure_change()

    def save_assets(self, dir_path):
        """Writes the vocabulary into the folder, unless the configuration holds it."""
        if self._given.vocabulary is None:
            broken = [
                token for token in self._vocabulary.tokens if isinstance(token, str) and set(token) & {"\n", "\r"}
            ]
            if broken:
                raise ValueError(
                    f"{self._label()}: the vocabulary is saved as lines, and tokens hold line breaks: {broken[:8]}. "
                    "Make the layer with vocabulary=get_vocabulary()."
                )
            with open(os.path.join(dir_path, _FILE), "w", encoding="utf-8", newline="\n") as file:
                file.write("\n".join(str(token) for token in self.get_vocabulary()))

    def load_assets(self, dir_path):
        """Reads the vocabulary from the folder."""
        if self._given.vocabulary is None:
            tokens = self._as_tokens(_read(os.path.join(dir_path, _FILE)))[self._token_start() :]
            self._check_tokens(tokens)
            self._set_tokens(tokens)

    def get_config(self):
        return {
            **super().get_config(),
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "idf_weights": _as_list(self._given.idf_weights),
            "vocabulary": _as_list(self._given.vocabulary),
            "vocabulary_size": self._known_size(),
            "oov_method": self.oov_method,
            "salt": self.salt,
        }

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("vocabulary"), str):
            raise ValueError(
                f"A configuration names the file {config['vocabulary']!r}, which is not read. Make the layer without a "
                "vocabulary, and call set_vocabulary with the file's path."
            )
        return cls(**config)


def _read(path):
    """The lines of a text file; empty ones at its end do not count."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    while lines and lines[-1] == "":
        lines.pop()
    return lines


def _as_list(values):
    if values is None or isinstance(values, list):
        return values
    return backend.convert_to_numpy(values).tolist() if hasattr(values, "shape") else list(values)


class StringLookup(LooksAtValues, IndexLookup):
    """The index of each string in a vocabulary, or with `invert` the string of each index.

    Args:
        max_tokens: int > 1 or None (default): the largest size of the vocabulary, with the special tokens.
        num_oov_indices: int, default 1: how many indices there are for strings out of the vocabulary, which are spread
            over them by their fingerprints (FarmHash64, SipHash64 with a salt). With 0 they are an error.
        mask_token: str or None (default): a string with the index 0; in the vectors of other modes it has no entry.
        oov_token: str, default `"[UNK]"`: what `invert` makes of unknown indices.
        vocabulary: list of strings, or the path of a text file, one per line; None (default): made by `adapt(data)`.
        idf_weights: list of floats as long as the vocabulary, for the mode `"tf_idf"`.
        invert: bool, default False: from indices to strings.
        output_mode: `"int"` (default): indices, int64; `"one_hot"`, `"multi_hot"`, `"count"`: vectors as of
            `CategoryEncoding`, int64; `"tf_idf"`: counts times log(1 + documents / (1 + documents with the token)).
        pad_to_max_tokens: bool, default False: vectors of max_tokens numbers, also for a smaller vocabulary.
        sparse: as of `CategoryEncoding`.
        encoding: of bytes, default `"utf-8"`.
        name: str; default: made unique.
        salt: int, pair of ints or None (default).
        oov_method: kept for Keras's signature: strings are spread by their fingerprints.

    There are no tensors of strings: the call takes arrays or lists of them, or an `Input` of dtype `"string"`.

    Input shape: any. Output shape: the same; for vectors as `CategoryEncoding`.

    Example:

    >>> layer = StringLookup(vocabulary=["a", "b", "c"])
    >>> layer([["a", "c"], ["x", "b"]]).numpy()
    array([[1, 3],
           [0, 2]])
    >>> StringLookup(vocabulary=["a", "b", "c"], invert=True)([1, 0])
    array(['a', '[UNK]'], dtype=object)
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        encoding="utf-8",
        name=None,
        salt=None,
        oov_method="floormod",
        **kwargs,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            oov_method,
            salt,
            name,
            **kwargs,
        )

    def __call__(self, inputs):
        if self.invert and (backend.is_keras_tensor(inputs) or (backend.is_tensor(inputs) and inputs.is_symbolic)):
            raise TypeError(
                f"{self._label()}: invert=True returns strings, of which there are no tensors, so it can't be part of "
                "a model. Call it on what the model predicts."
            )
        return super().__call__(inputs)

    def compute_output_spec(self, inputs):
        # A graph of TensorFlow has strings.
        return backend.KerasTensor(inputs.shape, "string") if self.invert else super().compute_output_spec(inputs)

    def _example_text(self, size):
        # Strings out of the vocabulary may be an error.
        return self._vocabulary.tokens[0] if self._vocabulary.tokens else ""

    def _as_tokens(self, values):
        return strings_of(self, values, self.encoding)[0].tolist()

    def _tokens_of(self, inputs):
        return strings_of(self, inputs, self.encoding)

    def _indices(self, inputs):
        if not self._sees_examples:
            self._require_vocabulary(self)
        tokens, shape = self._tokens_of(inputs)
        return ops.convert_to_tensor(self._find(tokens).reshape(shape))

    def _values_at(self, indices):
        self._require_vocabulary(self)
        indices = np.asarray(backend.convert_to_numpy(indices))
        if indices.dtype.kind not in "iu":
            raise TypeError(f"{self._label()}: invert=True takes indices, which are integers. Got {indices.dtype}.")
        last = self.vocabulary_size()
        tokens = objects([*self.get_vocabulary(), self.oov_token])
        return tokens[np.where((indices >= 0) & (indices < last), indices, last)]

    def get_config(self):
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(IndexLookup):
    """The index of each integer in a vocabulary, or with `invert` the integer of each index.

    Args:
        max_tokens: int > 1 or None (default): the largest size of the vocabulary, with the special tokens.
        num_oov_indices: int, default 1: how many indices there are for integers out of the vocabulary. With 0 they are
            an error.
        mask_token: int or None (default): an integer with the index 0; in the vectors of other modes it has no entry.
        oov_token: int, default -1: what `invert` makes of unknown indices.
        vocabulary: list of ints, or the path of a text file, one per line; None (default): made by `adapt(data)`.
        vocabulary_dtype: `"int64"`.
        idf_weights: list of floats as long as the vocabulary, for the mode `"tf_idf"`.
        invert, output_mode, sparse, pad_to_max_tokens, salt: as `StringLookup`.
        oov_method: how integers out of the vocabulary are spread over several indices: `"floormod"` (default): by their
            remainder; `"farmhash"`: by the fingerprint of their digits, outside models only.

    Input shape: any. Output shape: the same; for vectors as `CategoryEncoding`.

    Example:

    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138])
    >>> layer(np.array([[12, 1138], [42, 36]])).numpy()
    array([[1, 3],
           [0, 2]])
    """

    _tokens_are_ints = True

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=-1,
        vocabulary=None,
        vocabulary_dtype="int64",
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        oov_method="floormod",
        salt=None,
        name=None,
        **kwargs,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(f'IntegerLookup: vocabulary_dtype must be "int64". Got {vocabulary_dtype!r}.')
        self.vocabulary_dtype = vocabulary_dtype
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            oov_method,
            salt,
            name,
            **kwargs,
        )
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f'IntegerLookup: a salt goes with oov_method="farmhash". Got {oov_method!r}.')

    def __call__(self, inputs):
        if isinstance(inputs, (int, list, tuple)):
            inputs = ops.convert_to_tensor(np.array(inputs, "int64"))
        return super().__call__(inputs)

    def _as_tokens(self, values):
        values = backend.convert_to_numpy(values) if hasattr(values, "shape") else values
        try:
            return [int(value) for value in values]
        except (TypeError, ValueError):
            raise ValueError(
                f"{self._label()}: the vocabulary must hold integers. Got {values!r}; of strings take StringLookup."
            ) from None

    def _tokens_of(self, inputs):
        values = np.asarray(backend.convert_to_numpy(inputs)).astype("int64", copy=False)
        return values.ravel(), values.shape

    def _indices(self, inputs):
        if not backend.convert_to_tensor(inputs).is_symbolic:
            if not self._sees_examples:
                self._require_vocabulary(self)
            values, shape = self._tokens_of(inputs)
            return ops.convert_to_tensor(self._find(values).reshape(shape))
        if self.num_oov_indices > 1 and self.oov_method == "farmhash":
            raise TypeError(
                f'{self._label()}: oov_method="farmhash" looks at the values, which are not known while a model is '
                'built or traced. Call it on the data, or choose "floormod".'
            )
        return self._indices_in_program(ops.cast(inputs, "int64"))

    def _indices_in_program(self, x):
        """By binary search in the sorted vocabulary."""
        oov = ops.full_like(x, self._oov_start())
        if self.num_oov_indices > 1:
            oov = oov + ops.mod(x, self.num_oov_indices)
        size = len(self._vocabulary.tokens)
        found = oov
        if size:
            tokens, indices = self._vocabulary.sorted()
            place = ops.minimum(ops.searchsorted(tokens, x), size - 1)
            known = ops.equal(ops.take(tokens, place), x)
            if self.num_oov_indices == 0:
                # A place beyond the vocabulary makes the program stop with an error.
                masked = ops.zeros_like(x, dtype="bool") if self.mask_token is None else ops.equal(x, self.mask_token)
                place = ops.where(ops.logical_or(known, masked), place, size)
                return self._masked(x, _core.apply("gather", [indices, place], axis=0, mode="raise"))
            found = ops.where(known, ops.take(indices, place), oov)
        return self._masked(x, found)

    def _masked(self, x, found):
        if self.mask_token is None:
            return found
        return ops.where(ops.equal(x, self.mask_token), 0 if self._oov_start() else -1, found)

    def _values_at(self, indices):
        indices = ops.cast(indices, "int64")
        tokens = ops.convert_to_tensor(np.array([*self.get_vocabulary(), self.oov_token], "int64"))
        last = self.vocabulary_size()
        inside = ops.logical_and(ops.greater_equal(indices, 0), ops.less(indices, last))
        return ops.take(tokens, ops.where(inside, indices, last))

    def get_config(self):
        config = {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}
        if config["vocabulary"] is not None:
            config["vocabulary"] = [int(token) for token in config["vocabulary"]]
        return config
