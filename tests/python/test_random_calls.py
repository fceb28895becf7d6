"""Random calls of tests/fuzz without Keras: what is computed at once, traced, and from a file is the same."""

import itertools

import numpy as np
import pytest
import random_functions
import random_layers
from cases import Case, Pick, difference, evaluate, plain, run_layer

import dlcore as keras
from dlcore import _core, ops

# Functions whose result has a shape that depends on values: no graph can hold it.
OF_VALUES = ("nonzero(", "unique(", "[a > 0]")


def functions(count):
    """The first so many random calls without arguments that NumPy computes."""
    cases = (random_functions.function(Pick(f"traced {seed}")) for seed in itertools.count())
    return list(itertools.islice((case for case in cases if "np." not in case.code), count))


def traced(case):
    """The call as a program over its arrays."""
    with _core.Graph() as graph:
        symbols = {name: graph.input(x.shape, str(x.dtype), name) for name, x in case.arrays.items()}
        outputs = evaluate(keras, Case(case.kind, case.code, symbols))
        flat = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        return graph.compile([ops.convert_to_tensor(y) for y in flat])


@pytest.mark.filterwarnings("ignore:The softmax over axis")
@pytest.mark.parametrize("case", functions(150), ids=str)
def test_functions_at_once_and_traced(case):
    try:
        at_once = evaluate(keras, case)
    except (ValueError, TypeError, IndexError) as error:
        with pytest.raises(type(error)):
            traced(case).run([_core.tensor(x) for x in case.arrays.values()])
        return
    if any(function in case.code for function in OF_VALUES):
        with pytest.raises(keras.errors.NotTraceable):
            traced(case)
        return
    at_once = list(at_once) if isinstance(at_once, (list, tuple)) else [at_once]
    results = traced(case).run([_core.tensor(x) for x in case.arrays.values()])
    assert not difference(plain(keras, results), plain(keras, at_once), 1e-5), str(case)


@pytest.mark.parametrize("seed", range(120))
def test_layers_at_once_and_from_files(seed, tmp_path):
    case = random_layers.layer(Pick(f"files {seed}"))
    path = str(tmp_path / "model.keras")
    results = run_layer(keras, case, path)
    model = keras.saving.load_model(path)
    data = list(case.arrays.values())
    outputs = model.predict(data if len(data) > 1 else data[0], verbose=0)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for got, expected in zip(outputs, results["outputs"], strict=True):
        np.testing.assert_array_equal(got, expected)
    layer = model.layers[-1]
    at_once = layer(data if len(data) > 1 else data[0])
    at_once = list(at_once) if isinstance(at_once, (list, tuple)) else [at_once]
    assert not difference(plain(keras, at_once), results["outputs"], 1e-5), str(case)
    config = type(layer).from_config(layer.get_config()).get_config()
    assert type(layer).from_config(config).get_config() == config
