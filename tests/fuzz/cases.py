"""Random calls of Keras's API, written as code: what a case is, and how any Keras runs it.

The code of a case names the library `K` and its arrays, and is short enough to be pasted into a report.
"""

import dataclasses
import os
import random

import ml_dtypes
import numpy as np

FLOATS, INTEGERS = ("float32", "float16", "bfloat16"), ("int32", "int8")


@dataclasses.dataclass
class Case:
    """A call: of a `function`, or an object that its kind says how to use (see `RUNS`)."""

    kind: str
    code: str
    arrays: dict[str, np.ndarray]

    def __str__(self) -> str:
        arrays = ", ".join(f"{name}: {x.dtype}{list(x.shape)}" for name, x in self.arrays.items())
        return f"{self.kind} {self.code}  [{arrays}]"


class Pick(random.Random):
    """Choices of one case; the same for the same seed with any library."""

    def some(self, **arguments) -> str:
        """Keyword arguments as code: of each one of the values, or nothing where it is `...`."""
        chosen = {name: self.choice(values) for name, values in arguments.items()}
        return "".join(f", {name}={value!r}" for name, value in chosen.items() if value is not ...)

    def sizes(self, low: int, high: int, count: int) -> tuple[int, ...]:
        return tuple(self.randint(low, high) for _ in range(count))

    def array(self, shape: tuple[int, ...], dtype: str = "float32", low: float = -3, high: float = 4) -> np.ndarray:
        """Numbers that every float type holds: multiples of 1/16, or integers."""
        numbers = np.random.RandomState(self.randrange(2**31))
        if dtype == "bool":
            return np.asarray(numbers.rand(*shape) < 0.5)
        if "int" in dtype:
            return np.asarray(numbers.randint(0 if dtype[0] == "u" else int(low), int(high) + 1, shape), dtype)
        x = np.round(numbers.uniform(low, high, shape) * 16) / 16
        return np.asarray(x, ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def plain(K, value: object) -> object:
    """What a call gave as NumPy arrays, numbers and texts in lists and dictionaries."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value if value is None or isinstance(value, (str, bool)) else np.asarray(value)
    if isinstance(value, dict):
        return {str(key): plain(K, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(K, item) for item in value]
    return np.asarray(K.ops.convert_to_numpy(value))


def evaluate(K, case: Case) -> object:
    return eval(case.code, {"K": K, "np": np, **case.arrays})


def dtypes_of(K, value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [dtypes_of(K, item) for item in value]
    return K.backend.standardize_dtype(value.dtype) if hasattr(value, "dtype") else type(value).__name__


def run_function(K, case: Case, path: str) -> dict:
    outputs = evaluate(K, case)
    return {"value": plain(K, outputs), "dtype": dtypes_of(K, outputs)}


def run_gradient(K, case: Case, path: str) -> dict:
    """A function's gradients to its float32 arrays, of which a layer's weights are made: a step of 1 down them."""
    given = {name: x for name, x in case.arrays.items() if x.dtype == "float32"}

    class Total(K.layers.Layer):
        def build(self, shape):
            make = {name: lambda shape, dtype=None, x=x: K.ops.convert_to_tensor(x) for name, x in given.items()}
            self.arrays = [self.add_weight(given[name].shape, make[name], name=name) for name in given]

        def call(self, inputs):
            weights = {name: K.ops.convert_to_tensor(weight) for name, weight in zip(given, self.arrays)}
            outputs = evaluate(K, Case(case.kind, case.code, case.arrays | weights))
            total = 0.0
            for y in outputs if isinstance(outputs, (list, tuple)) else [outputs]:
                if "float" in K.backend.standardize_dtype(y.dtype):
                    # Weights that differ by element, so that no error cancels.
                    size = int(np.prod(y.shape))
                    factors = np.cos(np.arange(size, dtype="float32")).reshape(y.shape)
                    total = total + K.ops.sum(K.ops.cast(y, "float32") * K.ops.convert_to_tensor(factors))
            return 0.0 * inputs + total

    model = K.Sequential([K.Input((1,)), Total()])
    model.compile(K.optimizers.SGD(1.0), lambda y_true, y_pred: K.ops.mean(y_pred), jit_compile=False)
    loss = model.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    return {"loss": np.ravel(loss)[:1], "steps": [w - x for x, w in zip(given.values(), model.get_weights())]}


def random_like(shape, seed: int, spread: float = 0.5) -> np.ndarray:
    return (np.random.RandomState(seed).standard_normal(shape) * spread).astype("float32")


def run_layer(K, case: Case, path: str) -> dict:
    """A model of the one layer: its shapes, outputs and state, gradients (a step of 1 down them), and its file."""
    layer = evaluate(K, case)
    inputs = [K.Input(x.shape[1:], dtype=str(x.dtype)) for x in case.arrays.values()]
    model = K.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))
    data = list(case.arrays.values())
    data = data if len(data) > 1 else data[0]
    given = [
        # Variances are above zero.
        np.abs(random_like(w.shape, i)) + 0.5 if "variance" in w.path else random_like(w.shape, i)
        for i, w in enumerate(model.weights)
    ]
    model.set_weights([x.astype(w.dtype) for x, w in zip(given, model.get_weights())])
    results = {"weights": [list(w.shape) for w in model.weights]}
    results["shape"] = [list(y.shape) for y in model.outputs]
    results["dtype"] = [K.backend.standardize_dtype(y.dtype) for y in model.outputs]
    outputs = model.predict(data, verbose=0)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    results["outputs"] = plain(K, outputs)
    if path:
        model.save(path)
    if all("float" in dtype for dtype in results["dtype"]) and model.trainable_weights:
        targets = [random_like(y.shape, 100 + i) for i, y in enumerate(outputs)]
        model.compile(K.optimizers.SGD(1.0), ["mse"] * len(targets) if len(targets) > 1 else "mse")
        before = [np.array(w) for w in model.get_weights()]
        loss = model.train_on_batch(data, targets if len(targets) > 1 else targets[0])
        results["loss"] = np.ravel(loss)[:1]
        results["steps"] = [after - old for old, after in zip(before, model.get_weights())]
    return results


def load_layer(K, case: Case, path: str) -> dict:
    """What a model of a file gives: of this library, or of the other one."""
    data = list(case.arrays.values())
    outputs = K.saving.load_model(path).predict(data if len(data) > 1 else data[0], verbose=0)
    return plain(K, outputs if isinstance(outputs, (list, tuple)) else [outputs])


def run_metric(K, case: Case, path: str) -> dict:
    """A metric over the batches a0, b0 (weights w0), a1, b1, ..."""
    metric, results, batch = evaluate(K, case), [], 0
    while f"a{batch}" in case.arrays:
        names = [name for name in (f"a{batch}", f"b{batch}", f"w{batch}") if name in case.arrays]
        metric.update_state(*[case.arrays[name] for name in names])
        results.append(plain(K, metric.result()))
        batch += 1
    metric.reset_state()
    return {"results": results, "at rest": plain(K, metric.result())}


def run_optimizer(K, case: Case, path: str) -> dict:
    """Steps of an optimizer with the gradients g0, g1, ... of variables that begin as the arrays v0, v1, ..."""
    optimizer = evaluate(K, case)
    variables = [K.Variable(x) for name, x in case.arrays.items() if name[0] == "v"]
    optimizer.build(variables)
    gradients = [x for name, x in case.arrays.items() if name[0] == "g"]
    results = []
    for i in range(0, len(gradients), len(variables)):
        optimizer.apply([K.ops.convert_to_tensor(g) for g in gradients[i : i + len(variables)]], variables)
        results.append([plain(K, v.value) for v in variables])
    optimizer.finalize_variable_values(variables)
    return {"variables": results, "at the end": [plain(K, v.value) for v in variables]}


RUNS = {
    "function": run_function,
    "gradient": run_gradient,
    "layer": run_layer,
    "metric": run_metric,
    "optimizer": run_optimizer,
}


def run(K, case: Case, path: str = "") -> dict:
    """A case's results; `raises` where it ends with an error. A layer's model goes into the file `path`."""
    try:
        return RUNS[case.kind](K, case, path)
    except Exception as error:
        if path and os.path.exists(path):
            os.remove(path)
        return {"raises": f"{type(error).__name__}: {error}"}


def difference(ours: object, theirs: object, tolerance: float = 2e-4, least_scale: float = 0.0) -> str:
    """Where two results differ, in words; empty where they don't, but for rounding.

    Numbers are compared with each other and with the greatest of their array, or `least_scale`.
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() != theirs.keys():
            return f"{sorted(ours)} against {sorted(theirs)}"
        # Steps are differences of weights about as great as 1.
        scales = {key: 1.0 if key == "steps" else least_scale for key in ours}
        found = ((key, difference(ours[key], theirs[key], tolerance, scales[key])) for key in ours)
        return next((f"{key}: {text}" for key, text in found if text), "")
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{len(ours)} items against {len(theirs)}: {ours} against {theirs}"
        found = ((i, difference(a, b, tolerance, least_scale)) for i, (a, b) in enumerate(zip(ours, theirs)))
        return next((f"[{i}] {text}" for i, text in found if text), "")
    if isinstance(ours, np.generic) and isinstance(theirs, np.generic):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
    if not isinstance(ours, np.ndarray) or not isinstance(theirs, np.ndarray):
        return "" if type(ours) is type(theirs) and ours == theirs else f"{ours!r:.200} against {theirs!r:.200}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} against {theirs.shape}"
    kinds = {str(ours.dtype), str(theirs.dtype)}
    wide = "complex128" if "c" in ours.dtype.kind + theirs.dtype.kind else "float64"
    a, b = ours.astype(wide), theirs.astype(wide)
    scale = max(least_scale, min(1.0, np.abs(b[np.isfinite(b)]).max(initial=0)))
    if "bfloat16" in kinds or "float16" in kinds:
        tolerance, scale = 2e-2 if "bfloat16" in kinds else 4e-3, 1.0
    near = np.isclose(a, b, rtol=tolerance, atol=tolerance * scale + 1e-30, equal_nan=True)
    if near.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~near)[0])
    return f"{np.count_nonzero(~near)} of {near.size} elements, first {list(at)}: {a[at]} against {b[at]}"
