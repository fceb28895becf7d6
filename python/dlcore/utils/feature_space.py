"""FeatureSpace: columns of a table, numbers and strings, as what a model can learn from."""

import numpy as np

from dlcore import backend, layers, ops, tree
from dlcore.backend.tensorflow_graph import call_in_graph, is_in_graph
from dlcore.layers.layer import Layer
from dlcore.layers.preprocessing.values import LooksAtValues, on_examples


class Feature:
    """How one column is encoded.

    Args:
        dtype: `"float32"`, `"int32"`, `"int64"` or `"string"`.
        preprocessor: layer.
        output_mode: `"float"`: what the layer returns; `"int"`: the same, integers; `"one_hot"`: its integers as
            vectors.
    """

    def __init__(self, dtype, preprocessor, output_mode):
        if output_mode not in ("int", "one_hot", "float"):
            raise ValueError(f'Feature: output_mode must be "int", "one_hot" or "float". Got {output_mode!r}.')
        self.dtype = dtype
        self.preprocessor = _deserialized(preprocessor)
        self.output_mode = output_mode

    def get_config(self):
        from dlcore.saving import serialize_keras_object

        preprocessor = serialize_keras_object(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": preprocessor, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Cross:
    """Two or more columns that are encoded together, by a hash of their values.

    Args:
        feature_names: names of the columns.
        crossing_dim: int: number of bins.
        output_mode: `"one_hot"` (default) or `"int"`.
    """

    def __init__(self, feature_names, crossing_dim, output_mode="one_hot"):
        if output_mode not in ("int", "one_hot"):
            raise ValueError(f'Cross: output_mode must be "int" or "one_hot". Got {output_mode!r}.')
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self):
        return "_X_".join(self.feature_names)

    def get_config(self):
        names = list(self.feature_names)
        return {"feature_names": names, "crossing_dim": self.crossing_dim, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class FeatureSpace(LooksAtValues, Layer):
    """Encodes the columns of a table, each in its way.

    Args:
        features: dict column name -> `Feature`, or one of `"float"`, `"float_rescaled"`, `"float_normalized"`,
            `"float_discretized"`, `"integer_categorical"`, `"integer_hashed"`, `"string_categorical"`,
            `"string_hashed"`.
        output_mode: `"concat"` (default): one tensor (batch, sum of the sizes), columns sorted by name, then crosses;
            `"dict"`: a tensor for each.
        crosses: list of tuples of names, or of `FeatureSpace.cross(...)`.
        crossing_dim, hashing_dim, num_discretization_bins: sizes of what is named only, default 32.
        name: default "feature_space", made unique.

    Call the space on data (`dataset.map(...)` for a data set) and train a model that takes `get_encoded_features()` on
    what it returns; a model from `get_inputs()` to the same outputs takes the table itself.

    Example:

    >>> space = FeatureSpace({"age": "float_discretized", "job": "string_categorical"}, crosses=[("age", "job")])
    >>> table = {"age": [25, 61, 44], "job": ["nurse", "clerk", "nurse"]}
    >>> space.adapt(table)
    >>> encoded = space.get_encoded_features()
    >>> model = Model(encoded, layers.Dense(1)(encoded))
    >>> model.compile("adam", "mse")
    >>> history = model.fit(space(table), np.array([0.0, 1.0, 0.0]), verbose=0)
    """

    def __init__(
        self,
        features,
        output_mode="concat",
        crosses=None,
        crossing_dim=32,
        hashing_dim=32,
        num_discretization_bins=32,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not features:
            raise ValueError("FeatureSpace: features must be a dict of at least one column.")
        if output_mode not in ("dict", "concat"):
            raise ValueError(f'FeatureSpace: output_mode must be "dict" or "concat". Got output_mode={output_mode!r}.')
        self.output_mode = output_mode
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(name, value) for name, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or []]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {c.name: layers.HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        self._learning = [name for name, layer in self.preprocessors.items() if _learns(layer)]
        self._is_adapted = not self._learning
        self._inputs = self._placeholders = None

    # ---- kinds of features

    @classmethod
    def cross(cls, feature_names, crossing_dim, output_mode="one_hot"):
        """A cross of columns: each combination of their values has a place, found by a hash.

        Args:
            feature_names: tuple of names of columns.
            crossing_dim: int: the number of places.
            output_mode: `"one_hot"` (default) or `"int"`, the number of the place.
        """
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype, preprocessor, output_mode):
        """A column with a preprocessing layer of its own.

        Args:
            dtype: of the column, such as `"float32"` or `"string"`.
            preprocessor: the layer.
            output_mode: `"float"`, `"int"` or `"one_hot"`: what the layer returns, or becomes.
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name=None):
        """Numbers as they are."""
        return Feature("float32", layers.Identity(name=_layer_name(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale=1.0, offset=0.0, name=None):
        """Numbers times scale plus offset.

        Args:
            scale, offset: numbers, default 1.0 and 0.0.
            name: of the layer.
        """
        name = _layer_name(name, "float_rescaled")
        return Feature("float32", layers.Rescaling(scale, offset, name=name), "float")

    @classmethod
    def float_normalized(cls, name=None):
        """Numbers with mean 0 and variance 1."""
        return Feature("float32", layers.Normalization(name=_layer_name(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(cls, num_bins, bin_boundaries=None, output_mode="one_hot", name=None):
        """The number of the bin.

        Args:
            num_bins: int: as many bins, found by `adapt` so that each has as many values.
            bin_boundaries: list of numbers in place of that, default None.
            output_mode: `"one_hot"` (default) or `"int"`.
            name: of the layer.
        """
        bins = {"num_bins": num_bins} if bin_boundaries is None else {"bin_boundaries": bin_boundaries}
        layer = layers.Discretization(**bins, name=_layer_name(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Integers by their place in a vocabulary.

        Args:
            max_tokens, num_oov_indices: as of `IntegerLookup`.
            output_mode: `"one_hot"` (default) or `"int"`.
            name: of the layer.
        """
        layer = layers.IntegerLookup(
            max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=_layer_name(name, "integer_categorical")
        )
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None):
        """Strings by their place in a vocabulary.

        Args:
            max_tokens, num_oov_indices: as of `StringLookup`.
            output_mode: `"one_hot"` (default) or `"int"`.
            name: of the layer.
        """
        layer = layers.StringLookup(
            max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=_layer_name(name, "string_categorical")
        )
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Strings by a hash.

        Args:
            num_bins: int: how many places there are.
            output_mode: `"one_hot"` (default) or `"int"`.
            name: of the layer.
        """
        return Feature("string", layers.Hashing(num_bins, name=_layer_name(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Integers by a hash.

        Args:
            num_bins: int: how many places there are.
            output_mode: `"one_hot"` (default) or `"int"`.
            name: of the layer.
        """
        return Feature("int32", layers.Hashing(num_bins, name=_layer_name(name, "integer_hashed")), output_mode)

    def _feature(self, name, feature):
        feature = _deserialized(feature)
        if isinstance(feature, Feature):
            return feature
        sizes = {
            "float_discretized": self.num_discretization_bins,
            "integer_hashed": self.hashing_dim,
            "string_hashed": self.hashing_dim,
        }
        kinds = ("float", "float_rescaled", "float_normalized", "integer_categorical", "string_categorical", *sizes)
        if feature not in kinds:
            raise ValueError(
                f"FeatureSpace: feature {name!r} is of unknown kind {feature!r}. Expected a Feature, or one of "
                f"{', '.join(kinds)}."
            )
        make = getattr(self, feature)
        return make(sizes[feature], name=name) if feature in sizes else make(name=name)

    def _cross(self, cross):
        cross = _deserialized(cross)
        if not isinstance(cross, Cross):
            cross = Cross(cross, self.crossing_dim)
        unknown = [name for name in cross.feature_names if name not in self.features]
        if unknown:
            raise ValueError(f"FeatureSpace: the cross {cross.feature_names} names {unknown}, which are no features.")
        return cross

    # ---- adapting and encoding

    def adapt(self, dataset):
        """Learns vocabularies, means and bins.

        Args:
            dataset: dict of columns, or an iterable of batches, dicts of columns.
        """
        if not isinstance(dataset, dict):
            batches = [{name: _column(value) for name, value in batch.items()} for batch in dataset]
            dataset = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        for name in self._learning:
            if name not in dataset:
                raise ValueError(f"FeatureSpace.adapt: the column {name!r} is missing. Got {list(dataset)}.")
            self.preprocessors[name].adapt(_column(dataset[name]))
        self._is_adapted = True
        self.built = True

    def __call__(self, data, **kwargs):
        """Encodes a batch of rows, or a single row of plain values: a dict of columns."""
        if any(isinstance(x, backend.KerasTensor) for x in tree.flatten(data)):
            return self.symbolic_call(data, **kwargs)
        if is_in_graph((data,), kwargs):
            return call_in_graph(self, (data,), kwargs)
        if not isinstance(data, dict):
            raise ValueError(f"A FeatureSpace takes a dict of columns. Got {type(data).__name__}.")
        if not self._is_adapted:
            raise ValueError(f"{self._label()}: call adapt(data) first; {self._learning} learn from data.")
        missing = [name for name in self.features if name not in data]
        if missing:
            raise ValueError(f"{self._label()}: the columns {missing} are missing. Got {list(data)}.")
        single = all(np.ndim(_as_array(data[name])) == 0 for name in self.features)
        values = {name: layer(_column(data[name])) for name, layer in self.preprocessors.items()}
        crossed = {c.name: self.crossers[c.name]([values[n] for n in c.feature_names]) for c in self.crosses}
        specs = {**self.features, **{c.name: c for c in self.crosses}}
        encoded = {}
        for name, value in [*sorted(values.items()), *sorted(crossed.items())]:
            if specs[name].output_mode == "one_hot":
                value = self._one_hot(name, value)
            elif _makes_vectors(self.preprocessors.get(name)):
                value = ops.cast(value, "float32")
            encoded[name] = value
        self.built = True
        if single:
            encoded = {name: ops.squeeze(value, axis=0) for name, value in encoded.items()}
        if self.output_mode == "dict":
            return encoded
        integers = [name for name, value in encoded.items() if not backend.is_float_dtype(value.dtype)]
        if integers:
            raise ValueError(f'{self._label()} can\'t join {integers}, which are integers. Use output_mode="dict".')
        return ops.concatenate(list(encoded.values()), axis=-1)

    def _one_hot(self, name, value):
        layer = self.preprocessors.get(name) or self.crossers.get(name)
        if hasattr(layer, "vocabulary_size"):
            size = layer._known_size() or layer.vocabulary_size()
        elif isinstance(layer, layers.Discretization):
            size = layer.num_bins or len(layer.bin_boundaries) + 1
        else:
            size = getattr(layer, "num_bins", None) or getattr(layer, "num_tokens", None)
        if size is None or backend.is_float_dtype(value.dtype):
            raise ValueError(
                f'Feature {name!r} can\'t be one-hot: its layer returns {value.dtype} of unknown range. Use "int".'
            )
        return ops.multi_hot(value, int(size), axis=-1, dtype="float32")

    # ---- placeholders for models

    def _call_on_examples(self, args, kwargs, size):
        (columns,) = args
        within = [layer for layer in self.preprocessors.values() if hasattr(layer, "_sees_examples")]
        with on_examples(*within):
            return self({name: self._example_of(name, x, size) for name, x in columns.items()}, **kwargs)

    def _example_of(self, name, x, size):
        """What a column's layer takes, such as a string or an integer of its vocabulary."""
        layer = self.preprocessors.get(name)
        example = (layer if layer is not None and layer.looks_at_values else self)._example(x, size)
        if isinstance(layer, layers.IntegerLookup) and layer._vocabulary.tokens:
            example[...] = layer._vocabulary.tokens[0]
        return example

    def get_encoded_features(self):
        """What the call makes of `get_inputs()`, to build a model on: one, or a dict with `output_mode="dict"`."""
        if self._placeholders is None:
            self._placeholders = self(self.get_inputs())
        return self._placeholders

    def get_inputs(self):
        """Placeholders for the columns themselves, dict of (batch, 1)."""
        if self._inputs is None:
            self._inputs = {name: layers.Input((1,), dtype=f.dtype, name=name) for name, f in self.features.items()}
        return self._inputs

    # ---- configuration and files

    def save(self, filepath):
        """Writes a `.keras` file, which `models.load_model` reads."""
        from dlcore.saving import save_model

        save_model(self, filepath)

    def get_config(self):
        from dlcore.saving import serialize_keras_object

        return {
            "name": self.name,
            "features": serialize_keras_object(self.features),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def get_build_config(self):
        return {"adapted": self._is_adapted}

    def build_from_config(self, config):
        """Makes the variables that a file's values are put into."""
        for layer in self.preprocessors.values():
            if not layer.built:
                layer.build((None, 1))
        self._is_adapted = config.get("adapted", False)
        self.built = True


def _learns(layer):
    """Whether a layer takes from data what it was not given."""
    given = getattr(layer, "input_mean", None) is not None or getattr(layer, "bin_boundaries", None) is not None
    return hasattr(layer, "adapt") and not given and not getattr(layer, "_is_given", False)


def _makes_vectors(layer):
    """Whether the integers that a layer returns are the elements of vectors rather than indices."""
    mode = getattr(layer, "output_mode", getattr(layer, "_output_mode", "int"))
    return mode in ("one_hot", "multi_hot", "count")


def _layer_name(name, kind):
    return f"{name or backend.auto_name(kind)}_preprocessor"


def _deserialized(value):
    from dlcore.saving import deserialize_keras_object

    return deserialize_keras_object(value) if isinstance(value, dict) else value


def _as_array(values):
    if isinstance(values, np.ndarray):
        return values
    values = backend.convert_to_numpy(values) if not isinstance(values, (list, tuple, str)) else values
    flat = tree.flatten(values) if isinstance(values, (list, tuple)) else [values]
    return np.array(values, dtype=object) if any(isinstance(v, str) for v in flat) else np.asarray(values)


def _column(values):
    """An array (rows, 1) of a column, or of one value; floats as float32."""
    array = _as_array(values)
    array = array.reshape(-1, 1) if array.ndim < 2 else array
    return array.astype("float32") if array.dtype == np.float64 else array
