"""Models as estimators of scikit-learn."""

from dlcore.wrappers.sklearn_wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
