"""The contestants in training, each with one library: `python -m bench.contestants NAME` serves one."""

import importlib
import math
import os
import resource
import sys
import time
from collections.abc import Callable

from .players import THREADS, fastest, serve
from .workloads import ACCELERATED, Workload, data, workload

NAMES = ("dlcore", "keras-tf", "keras-jax", "keras-torch", "torch", "torch-channels_last", "torch-compiled")
# Where they compute: dlcore and Keras's backends choose by themselves where BENCH_DEVICE is cuda.
DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
# What a GPU's products are computed in: "float32", "tf32", or "bfloat16" with float32 weights.
PRECISION = os.environ.get("BENCH_PRECISION", "float32")
# The least steps of an epoch, so that what an epoch costs besides is small beside them.
LEAST_STEPS = 1 if DEVICE == "cpu" else 32
# A measurement takes as many epochs as it needs for so long.
_LEAST_SECONDS = 0.1


class Contestant:
    """What is asked of each: figures of a workload given by name; None where the contestant has no part in it."""

    version: str

    def epochs(self, w: Workload, steps: int, **settings) -> Callable[[int], float]:
        """A function that goes on training for some epochs of so many steps and returns the last one's seconds."""
        raise NotImplementedError

    def settings(self) -> list[dict]:
        """The ways to run a workload from which each one's fastest is taken."""
        return [{}]

    def takes(self, w: Workload) -> bool:
        return True

    def parameters(self, name: str) -> int | None:
        """The number of trainable parameters."""
        raise NotImplementedError

    def step_ms(self, name: str) -> float | None:
        """Milliseconds of a step in a long run."""
        w = workload(name)
        if not self.takes(w):
            return None
        steps = w.steps if w in ACCELERATED else max(w.steps, LEAST_STEPS)
        if getattr(self, "_running", (None,))[0] != w.name:
            self._running = None  # frees the last workload's memory
            ways = [self.epochs(w, steps, **settings) for settings in self.settings()]
            self._running = w.name, fastest([lambda way=way: way(1) for way in ways])
            self._running[1]()
        seconds = self._running[1]()
        if seconds < _LEAST_SECONDS:  # that was to wake the threads
            epochs = math.ceil(_LEAST_SECONDS / seconds)
            seconds = sum(self._running[1]() for _ in range(epochs)) / epochs
        return 1e3 * seconds / steps

    def first_step_ms(self, name: str) -> float | None:
        """Milliseconds of a new model's first step: tracing, compiling and planning, where the library does so."""
        w = workload(name)
        if not self.takes(w):
            return None
        run = self.epochs(w, 1)
        start = time.perf_counter()
        run(1)
        return 1e3 * (time.perf_counter() - start)

    def peak_mb(self, name: str | None) -> float | None:
        """The most memory (MB resident) of this process after an epoch; with no name, now."""
        if name is not None:
            w = workload(name)
            if not self.takes(w):
                return None
            self.epochs(w, w.steps)(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class KerasStyle(Contestant):
    """Keras on one of its backends, or dlcore: the same code but for the import."""

    def __init__(self, module: str):
        from . import keras_models

        self.keras, self.models = importlib.import_module(module), keras_models
        self.version, backend = self.keras.__version__, os.environ.get("KERAS_BACKEND")
        if module == "keras":
            self.version += f" on {backend} {importlib.import_module(backend).__version__}"
        self.compiles = module == "keras" and backend == "tensorflow"
        if PRECISION == "bfloat16":
            self.keras.config.set_dtype_policy("mixed_bfloat16")
        elif module == "dlcore":
            self.keras.config.set_float32_precision(PRECISION.replace("float32", "highest"))

    def settings(self) -> list[dict]:
        # XLA is faster for some workloads and slower for others.
        return [{"jit_compile": True}, {"jit_compile": False}] if self.compiles else [{}]

    def parameters(self, name: str) -> int:
        return self.models.parameters(self.models.build(self.keras, workload(name)))

    def epochs(self, w: Workload, steps: int, **settings) -> Callable[[int], float]:
        x, y = data(w, steps * w.batch)
        model = self.models.compiled(self.keras, w, **settings)
        times: list[float] = []

        class Clock(self.keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.start = time.perf_counter()

            def on_epoch_end(self, epoch, logs=None):
                times.append(time.perf_counter() - self.start)

        def run(epochs: int) -> float:
            model.fit(x, y, batch_size=w.batch, epochs=epochs, verbose=0, callbacks=[Clock()])
            return times[-1]

        return run


class Torch(Contestant):
    """PyTorch eager or compiled, with fused optimizers and one of the two memory formats for images."""

    def __init__(self, channels_last: bool, compiled: bool = False):
        import torch

        from . import torch_models

        self.torch, self.models, self.channels_last, self.compiled = torch, torch_models, channels_last, compiled
        self.version = torch.__version__
        torch.set_num_threads(THREADS)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = PRECISION == "tf32"

    def takes(self, w: Workload) -> bool:
        return w.is_image or not self.channels_last

    def parameters(self, name: str) -> int:
        return self.models.parameters(self.models.build(workload(name)))

    def epochs(self, w: Workload, steps: int) -> Callable[[int], float]:
        torch, functional = self.torch, self.torch.nn.functional
        x, y = (torch.from_numpy(a).to(DEVICE) for a in data(w, steps * w.batch))
        if w.is_image:
            x = self.models.as_images(x, self.channels_last)
        if y.ndim == 4:
            y = self.models.as_images(y, self.channels_last)
        model = self.models.build(w, self.channels_last).to(DEVICE)
        loss_of = {
            "sparse": lambda logits, labels: functional.cross_entropy(logits, labels.long()),
            "mse": functional.mse_loss,
            "binary": functional.binary_cross_entropy_with_logits,
        }[w.loss]
        parameters = list(model.parameters())
        if w.optimizer == "adam":
            optimizer = torch.optim.Adam(parameters, fused=True)
        else:
            optimizer = torch.optim.SGD(parameters, lr=0.01, fused=True)
        forward = torch.compile(model, mode="reduce-overhead") if self.compiled else model

        def epoch() -> float:
            start = time.perf_counter()
            total = torch.zeros((), device=DEVICE)
            for i in range(0, len(x), w.batch):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast(DEVICE, torch.bfloat16, enabled=PRECISION == "bfloat16"):
                    outputs = forward(x[i : i + w.batch])
                loss = loss_of(outputs.float(), y[i : i + w.batch])
                loss.backward()
                optimizer.step()
                total += loss.detach()
            total.item()
            return time.perf_counter() - start

        return lambda epochs: [epoch() for _ in range(epochs)][-1]


def contestant(name: str) -> Contestant:
    if name == "dlcore":
        return KerasStyle("dlcore")
    if name.startswith("keras-"):
        backend = name.removeprefix("keras-")
        os.environ["KERAS_BACKEND"] = {"tf": "tensorflow"}.get(backend, backend)
        if DEVICE != "cpu":
            os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "tensorfloat32" if PRECISION == "tf32" else "highest"
        return KerasStyle("keras")
    return Torch(channels_last=name.endswith("channels_last"), compiled=name.endswith("compiled"))


if __name__ == "__main__":
    serve(lambda: contestant(sys.argv[1]))
