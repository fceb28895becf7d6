"""Models as estimators of scikit-learn, which is needed only when one is made."""

import copy

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
except ImportError:
    BaseEstimator = ClassifierMixin = RegressorMixin = TransformerMixin = None


def _bases(*classes):
    return tuple(cls for cls in classes if cls is not None)


class _Estimator(*_bases(BaseEstimator)):
    """What the wrappers have in common."""

    _takes_columns = True

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None):
        if BaseEstimator is None:
            raise ImportError(f"{type(self).__name__} needs scikit-learn: pip install scikit-learn")
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self):
        model = _copy(self.model) if _is_model(self.model) else self.model
        arguments = {"warm_start": self.warm_start, "model_kwargs": copy.deepcopy(self.model_kwargs)}
        return type(self)(model, **arguments, fit_kwargs=copy.copy(self.fit_kwargs))

    @property
    def epoch_(self):
        """The numbers of the epochs that were trained."""
        return self.history_.epoch if hasattr(self, "history_") else []

    def fit(self, X, y, **kwargs):  # noqa: N803, scikit-learn's name
        """Trains a new model, or with `warm_start` the last one further.

        Args:
            X: (samples, features).
            y: (samples,) or (samples, outputs).
            **kwargs: arguments of the model's `fit`, beside `fit_kwargs`.

        Raises:
            RuntimeError: the model is not compiled with a loss.
        """
        columns = np.asarray(y).shape[1:]
        X, y = self._validated(X, y, multi_output=self._takes_columns and columns > (1,))  # noqa: N806
        y = self._encode(y)
        model = self.model_ if self.warm_start and hasattr(self, "model_") else self._new_model(X, y)
        if not model.compiled or not model.loss or model.optimizer is None:
            raise RuntimeError(f"{type(self).__name__}: the model must be compiled with a loss and an optimizer.")
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def set_fit_request(self, **kwargs):
        """Says what of the metadata that scikit-learn routes `fit` is given.

        Args:
            **kwargs: argument of `fit` -> True, False, None or the name that the metadata has; see scikit-learn's guide
                to metadata routing.

        Returns:
            self.

        Raises:
            RuntimeError: metadata routing is not enabled.
        """
        import sklearn

        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                f"{type(self).__name__}: metadata routing is not enabled. Call "
                "sklearn.set_config(enable_metadata_routing=True) first."
            )
        requests = self._get_metadata_request()
        for name, alias in kwargs.items():
            requests.fit.add_request(param=name, alias=alias)
        self._metadata_request = requests
        return self

    def predict(self, X):  # noqa: N803
        """The targets of the rows of X, in the shape of those that `fit` was given."""
        return self._decode(self._outputs(X))

    def _new_model(self, X, y):  # noqa: N803
        return _copy(self.model) if _is_model(self.model) else self.model(X=X, y=y, **(self.model_kwargs or {}))

    def _validated(self, *arrays, **options):
        from sklearn.utils.validation import validate_data

        return validate_data(self, *arrays, **options)

    def _outputs(self, X):  # noqa: N803
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return self.model_.predict(self._validated(X, reset=False), verbose=0)

    def _encode(self, y):
        """Targets (samples, outputs)."""
        _target_type(y)
        self._target_ndim = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _decode(self, outputs):
        return outputs[:, 0] if self._target_ndim == 1 and outputs.ndim == 2 else outputs


class SKLearnClassifier(*_bases(ClassifierMixin), _Estimator):
    """A model as a classifier of scikit-learn. It is trained on one-hot labels.

    Args:
        model: compiled model, which is copied; or a function (X, y, **model_kwargs) that returns one, y being one-hot.
        warm_start: bool, default False: go on with the last model when fitted again.
        model_kwargs: dict of arguments of the function.
        fit_kwargs: dict of arguments of the model's `fit`.

    Raises:
        ImportError: scikit-learn is not installed.

    Example:

    >>> def make(X, y):
    ...     model = Sequential([Input(X.shape[1:]), layers.Dense(y.shape[1], activation="softmax")])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = np.random.rand(30, 4), np.arange(30) % 3
    >>> scores = cross_val_score(SKLearnClassifier(make, fit_kwargs={"verbose": 0}), X, y)
    """

    _takes_columns = False

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def decision_function(self, X):  # noqa: N803
        """The model's outputs (samples, classes)."""
        return self._outputs(X)

    def _encode(self, y):
        kind = _target_type(y)
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"Only binary and multiclass targets can be classified. Unknown label type: {kind}")
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        self._target_ndim = y.ndim
        return np.eye(len(self.classes_))[numbers.reshape(-1)]

    def _decode(self, outputs):
        labels = self.classes_[np.argmax(outputs, axis=-1)]
        return labels if self._target_ndim == 1 else labels.reshape(-1, 1)


class SKLearnRegressor(*_bases(RegressorMixin), _Estimator):
    """A model as a regressor of scikit-learn. Arguments as for `SKLearnClassifier`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(*_bases(TransformerMixin), _Estimator):
    """A model as a transformer of scikit-learn: its outputs are features. Arguments as for `SKLearnClassifier`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X):  # noqa: N803
        """The model's outputs for the rows of X."""
        return self._outputs(X)


def _is_model(model):
    from dlcore.models import Model

    return isinstance(model, Model)


def _copy(model):
    """A model with new weights, compiled as the given one."""
    from dlcore.models import clone_model

    clone = clone_model(model)
    if model.compiled and not clone.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _target_type(y):
    from sklearn.utils.multiclass import type_of_target

    kind = type_of_target(y)
    if kind == "unknown":
        raise ValueError(f"Unknown label type for data: {y!r}")
    return kind
