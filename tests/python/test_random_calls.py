"""Random calls of tests/fuzz without Keras: what is computed at once, traced, and from a file is the same."""

import numpy as np
import pytest
import random_functions
import random_layers
from cases import Pick, difference, evaluate, plain, run_layer

import dlcore as keras
from dlcore import _core, ops


@pytest.mark.filterwarnings("ignore:The softmax over axis")
@pytest.mark.parametrize("seed", range(150))
def test_functions_at_once_and_traced(seed):
    case = random_functions.function(Pick(f"traced {seed}"))
    if "np." in case.code:
        pytest.skip("its arguments are computed by NumPy")
    try:
        at_once = evaluate(keras, case)
    except (ValueError, TypeError, IndexError):
        pytest.skip("it is not defined for these arguments")
    single = not isinstance(at_once, (list, tuple))
    arrays = [case.arrays[name] for name in case.arrays]
    with _core.Graph() as graph:
        symbols = [graph.input(x.shape, str(x.dtype), name) for name, x in case.arrays.items()]
        try:
            traced = evaluate(keras, type(case)(case.kind, case.code, dict(zip(case.arrays, symbols))))
        except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
            assert "traced" in str(error) or "values" in str(error) or "symbolic" in str(error), f"{case}: {error}"
            pytest.skip("its result's shape depends on values")
        outputs = [ops.convert_to_tensor(y) for y in ([traced] if single else traced)]
        program = graph.compile(outputs)
    results = program.run([_core.tensor(x) for x in arrays])
    assert not difference(plain(keras, results), plain(keras, [at_once] if single else list(at_once)), 1e-5), str(case)


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
