"""The contestants in prediction, each with one library: `python -m bench.predictors NAME` serves one.

All take NumPy arrays and give NumPy arrays. Images come in the layout that the library prefers; turning them is not
timed.
"""

import importlib
import io
import os
import sys
from collections.abc import Callable

import numpy as np

from .players import THREADS, fastest, seconds_per_call, serve
from .workloads import Workload, data, workload

TEST_ROWS = 10_240  # about the number of MNIST's, and whole batches of each size
BATCHES = (32, 256, 1024)  # from which the test set's is chosen

Predict = Callable[[], object]


class Predictor:
    """What is asked of each: figures of a workload given by name."""

    version: str

    def ways(self, w: Workload, x: np.ndarray) -> list[Predict]:
        """Functions that predict a batch; the fastest counts."""
        raise NotImplementedError

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        """Functions that predict all rows, in batches of so many."""
        raise NotImplementedError

    def latency_us(self, name: str, batch: int) -> float:
        """Microseconds from a batch in memory to its predictions in memory."""
        w = workload(name)
        return 1e6 * seconds_per_call(self._fastest((name, batch), lambda: self.ways(w, data(w, batch)[0])), 0.2)

    def test_set_ms(self, name: str) -> float:
        """Milliseconds for a test set of TEST_ROWS rows."""
        w = workload(name)
        x = data(w, TEST_ROWS)[0]
        candidates = lambda: [call for batch in BATCHES for call in self.passes(w, x, batch)]  # noqa: E731
        return 1e3 * seconds_per_call(self._fastest((name, "test set"), candidates), 0.2)

    def _fastest(self, key: tuple, candidates: Callable[[], list[Predict]]) -> Predict:
        """The fastest way to a figure, kept until another one is asked for."""
        if getattr(self, "_last", (None,))[0] != key:
            self._last = (None,)  # frees the last figure's memory
            self._last = key, fastest(candidates())
        return self._last[1]


class Dlcore(Predictor):
    """Through predict() or by calling the model."""

    def __init__(self, calls: bool):
        import dlcore

        from . import keras_models

        self.keras, self.build, self.calls, self.version = dlcore, keras_models.build, calls, dlcore.__version__

    def ways(self, w: Workload, x: np.ndarray) -> list[Predict]:
        return self.passes(w, x, len(x))

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        model = self.build(self.keras, w)
        if self.calls:
            return [_in_batches(lambda rows: model(rows).numpy(), x, batch)]
        return [lambda: model.predict(x, batch_size=batch, verbose=0)]


class Keras(Predictor):
    """Keras on TensorFlow or JAX: predict_on_batch(), predict(), and what a user of the backend would compile."""

    def __init__(self, backend: str):
        os.environ["KERAS_BACKEND"] = backend
        import keras

        from . import keras_models

        self.keras, self.build, self.backend = keras, keras_models.build, importlib.import_module(backend)
        self.version = f"{keras.__version__} on {backend} {self.backend.__version__}"
        self.compiled = {"tensorflow": self._tensorflow, "jax": self._jax}[backend]

    def ways(self, w: Workload, x: np.ndarray) -> list[Predict]:
        calls = (self._model(w).predict_on_batch, *self.compiled(self._model(w)))
        return [lambda call=call: call(x) for call in calls]

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        model = self._model(w)
        calls = [_in_batches(call, x, batch) for call in self.compiled(self._model(w))]
        return [lambda: model.predict(x, batch_size=batch, verbose=0), *calls]

    def _model(self, w: Workload):
        """A new one: on JAX, predict() gives its model's arrays away."""
        return self.build(self.keras, w)

    def _tensorflow(self, model) -> list[Callable]:
        tf = self.backend
        functions = [tf.function(lambda x: model(x, training=False), jit_compile=xla) for xla in (False, True)]
        return [lambda x, function=function: function(tf.convert_to_tensor(x)).numpy() for function in functions]

    def _jax(self, model) -> list[Callable]:
        function = self.backend.jit(lambda trained, fixed, x: model.stateless_call(trained, fixed, x)[0])
        trained, fixed = ([v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables))
        return [lambda x: np.asarray(function(trained, fixed, x))]


class Torch(Predictor):
    """PyTorch in inference_mode: eager, and traced and frozen; in both memory formats where there are images."""

    def __init__(self):
        import torch

        from . import torch_models

        self.torch, self.models, self.version = torch, torch_models, torch.__version__
        torch.set_num_threads(THREADS)

    def ways(self, w: Workload, x: np.ndarray) -> list[Predict]:
        return self.passes(w, x, len(x))

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        torch = self.torch
        calls = []
        for channels_last in (False, True) if w.is_image else (False,):
            rows = torch.from_numpy(x)
            rows = self.models.as_images(rows, channels_last) if w.is_image else rows
            model = self.models.build(w, channels_last, probabilities=True).eval()
            with torch.no_grad():
                frozen = torch.jit.optimize_for_inference(torch.jit.trace(model, rows[:batch]))
            for module in (model, frozen):
                call = torch.inference_mode()(lambda part, module=module: module(part).numpy())
                calls.append(_in_batches(call, rows, batch))
        return calls


class Onnx(Predictor):
    """A library that runs ONNX files; PyTorch writes them, for one batch size."""

    def exported(self, w: Workload, x: np.ndarray, batch: int) -> tuple[bytes, np.ndarray]:
        """The file, and the rows in its layout."""
        import torch

        from . import torch_models

        rows = torch.from_numpy(x)
        rows = torch_models.as_images(rows, False) if w.is_image else rows
        file = io.BytesIO()
        torch.onnx.export(torch_models.build(w, probabilities=True).eval(), (rows[:batch],), file, dynamo=False)
        return file.getvalue(), rows.numpy()

    def compiled(self, model: bytes) -> list[Callable]:
        """Functions of a batch's rows."""
        raise NotImplementedError

    def ways(self, w: Workload, x: np.ndarray) -> list[Predict]:
        return self.passes(w, x, len(x))

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        model, rows = self.exported(w, x, batch)
        return [_in_batches(call, rows, batch) for call in self.compiled(model)]


class OnnxRuntime(Onnx):
    def __init__(self):
        import onnxruntime

        self.library, self.version = onnxruntime, onnxruntime.__version__

    def compiled(self, model: bytes) -> list[Callable]:
        options = self.library.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = self.library.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return [lambda rows: session.run(None, {name: rows})[0]]


class OpenVino(Onnx):
    """Waiting for each batch, and with batches under way in as many streams as it likes."""

    def __init__(self):
        import openvino

        self.library, self.version = openvino, openvino.__version__.split("-")[0]

    def _model(self, model: bytes, hint: str):
        core = self.library.Core()
        settings = {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint}
        return core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)

    def compiled(self, model: bytes) -> list[Callable]:
        request = self._model(model, "LATENCY").create_infer_request()
        return [lambda rows: request.infer([rows], share_inputs=True)[0]]

    def passes(self, w: Workload, x: np.ndarray, batch: int) -> list[Predict]:
        if len(x) == batch:
            return super().passes(w, x, batch)
        model, rows = self.exported(w, x, batch)
        queue = self.library.AsyncInferQueue(self._model(model, "THROUGHPUT"))
        results: dict[int, np.ndarray] = {}
        queue.set_callback(lambda request, first: results.update({first: request.get_output_tensor().data.copy()}))

        def streams() -> np.ndarray:
            for first in range(0, len(rows), batch):
                queue.start_async([rows[first : first + batch]], first, share_inputs=True)
            queue.wait_all()
            return np.concatenate([results[first] for first in sorted(results)])

        return [*(_in_batches(call, rows, batch) for call in self.compiled(model)), streams]


def _in_batches(call: Callable, rows, batch: int) -> Predict:
    """A function that calls with one batch after the other."""
    if len(rows) == batch:
        return lambda: call(rows)
    return lambda: np.concatenate([call(rows[first : first + batch]) for first in range(0, len(rows), batch)])


CONTESTANTS = {
    "dlcore": lambda: Dlcore(calls=False),
    "dlcore-call": lambda: Dlcore(calls=True),
    "keras-tf": lambda: Keras("tensorflow"),
    "keras-jax": lambda: Keras("jax"),
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
}

if __name__ == "__main__":
    serve(CONTESTANTS[sys.argv[1]])
