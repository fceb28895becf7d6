"""Models as estimators of scikit-learn."""

import sys

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers
from dlcore.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer, sklearn_wrappers

sklearn = pytest.importorskip("sklearn")
from sklearn.datasets import make_classification, make_regression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402


def make_model(X, y, loss, activation="softmax", hidden=(10,)):  # noqa: N803
    x = inputs = keras.Input((X.shape[1],))
    for units in hidden:
        x = layers.Dense(units, activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(y.shape[1], activation=activation)(x))
    model.compile(keras.optimizers.RMSprop(), loss)
    return model


ARGUMENTS = {"loss": "categorical_crossentropy", "hidden": (20, 20, 20)}
ESTIMATORS = [
    SKLearnClassifier(make_model, model_kwargs=ARGUMENTS, fit_kwargs={"epochs": 5, "verbose": 0}),
    SKLearnRegressor(make_model, model_kwargs={"loss": "mse"}, fit_kwargs={"verbose": 0}),
    SKLearnTransformer(make_model, model_kwargs={"loss": "mse"}, fit_kwargs={"verbose": 0}),
]
# Those that Keras leaves out as well.
LEFT_OUT = {
    "check_classifiers_classes": "a few samples do not train a model",
    "check_classifier_data_not_an_array": "training is random",
    "check_supervised_y_2d": "training is random",
    "check_fit_idempotent": "training is random",
    "check_classifiers_train": "outputs may be probabilities or logits",
}
# Whether it passes after a few epochs is up to the seed.
TRAINED_LONGER = {"check_classifiers_one_label_sample_weights"}


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: LEFT_OUT if isinstance(estimator, SKLearnClassifier) else {}
)
def test_estimator_checks(estimator, check):
    if getattr(check, "func", check).__name__ in TRAINED_LONGER and isinstance(estimator, SKLearnClassifier):
        estimator.set_params(fit_kwargs={"epochs": 50, "verbose": 0})
    check(estimator)


def test_classifier():
    x, y = make_classification(200, n_features=6, n_informative=4, class_sep=2, random_state=0)
    names = np.array(["no", "yes"])[y]
    fit_kwargs = {"epochs": 30, "verbose": 0}
    classifier = SKLearnClassifier(make_model, model_kwargs={"loss": "categorical_crossentropy"}, fit_kwargs=fit_kwargs)
    assert cross_val_score(make_pipeline(StandardScaler(), classifier), x, names, cv=2).mean() > 0.8
    classifier.fit(x, names)
    assert classifier.classes_.tolist() == ["no", "yes"] and classifier.epoch_ == list(range(30))
    scores = classifier.decision_function(x)
    assert scores.shape == (200, 2)
    assert (classifier.classes_[scores.argmax(axis=1)] == classifier.predict(x)).all()
    with pytest.raises(ValueError, match="binary and multiclass"):
        classifier.fit(x, np.random.rand(200))


def test_grid_search():
    x, y = make_regression(120, 3, random_state=0)
    y = y / y.std()
    regressor = SKLearnRegressor(make_model, fit_kwargs={"epochs": 20, "verbose": 0})
    settings = [{"loss": "mse", "activation": None, "hidden": hidden} for hidden in ((), (16,))]
    search = GridSearchCV(regressor, {"model_kwargs": settings}, cv=2).fit(x, y)
    assert search.best_params_["model_kwargs"] in settings and search.predict(x).shape == (120,)


def test_model_instances_are_copied():
    x, y = make_regression(60, 3, n_targets=2, random_state=0)
    model = make_model(x, y, "mse", None)
    before = model.get_weights()
    regressor = SKLearnRegressor(model, fit_kwargs={"epochs": 2, "verbose": 0}).fit(x, y)
    assert regressor.predict(x).shape == (60, 2) and regressor.model_ is not model
    for weight, value in zip(model.get_weights(), before):
        np.testing.assert_array_equal(weight, value)
    cloned = sklearn.base.clone(regressor)
    assert cloned.fit_kwargs == regressor.fit_kwargs and not hasattr(cloned, "model_")
    assert SKLearnTransformer(model).fit(x, y, verbose=0).transform(x).shape == (60, 2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(RuntimeError, match="must be compiled"):
        SKLearnRegressor(model).fit(x, y)


def test_warm_start():
    x, y = make_regression(60, 3, random_state=0)
    fit_kwargs = {"epochs": 1, "verbose": 0}
    cold = SKLearnRegressor(make_model, model_kwargs={"loss": "mse", "activation": None}, fit_kwargs=fit_kwargs)
    warm = SKLearnRegressor(make_model, True, model_kwargs={"loss": "mse", "activation": None}, fit_kwargs=fit_kwargs)
    first = {name: e.fit(x, y).model_ for name, e in (("cold", cold), ("warm", warm))}
    assert warm.fit(x, y).model_ is first["warm"] and cold.fit(x, y).model_ is not first["cold"]


def test_scikit_learn_is_optional(monkeypatch):
    monkeypatch.setattr(sklearn_wrappers, "BaseEstimator", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        SKLearnRegressor(None)
    assert "sklearn" in sys.modules


def test_metadata_is_routed_to_fit():
    X, y = make_classification(n_samples=20, n_features=4, n_informative=3, n_redundant=0, random_state=0)  # noqa: N806
    classifier = SKLearnClassifier(make_model, model_kwargs=ARGUMENTS, fit_kwargs={"epochs": 1, "verbose": 0})
    with pytest.raises(RuntimeError, match="metadata routing is not enabled"):
        classifier.set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier.set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        seen = []
        fit = SKLearnClassifier.fit
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SKLearnClassifier, "fit", lambda *args, **kwargs: seen.append(kwargs) or fit(*args, **kwargs))
            make_pipeline(scaler, classifier).fit(X, y, sample_weight=np.ones(20))
    assert list(seen[0]) == ["sample_weight"]
