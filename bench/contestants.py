"""The contestants: each builds a workload with one library and times training steps.

Run as a process of its own (`python -m bench.contestants NAME`), which reads commands from standard input, one JSON
object a line, and answers each with one line. So libraries don't meet in one process, and those that wait are idle.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable

from .workloads import Workload, data, workload

STEPS = 64  # in an epoch


class KerasStyle:
    """Keras on one of its backends, or dlcore: the same code but for the import."""

    def __init__(self, module: str):
        self.keras = importlib.import_module(module)
        self.version = self.keras.__version__

    def model(self, w: Workload):
        layers, keras = self.keras.layers, self.keras
        model = keras.Sequential([keras.Input(w.input_shape, dtype="int32" if w.tokens else "float32")])
        for kind, *arguments in w.layers:
            if kind == "dense":
                model.add(layers.Dense(arguments[0], activation=arguments[1]))
            elif kind == "conv":
                filters, size, activation, padding = arguments
                model.add(layers.Conv2D(filters, size, activation=activation, padding=padding))
            elif kind == "pool":
                model.add(layers.MaxPooling2D(arguments[0]))
            elif kind == "flatten":
                model.add(layers.Flatten())
            elif kind == "lstm":
                model.add(layers.LSTM(arguments[0]))
            elif kind == "embedding":
                model.add(layers.Embedding(*arguments))
        loss = {"sparse": "sparse_categorical_crossentropy", "mse": "mse", "binary": "binary_crossentropy"}[w.loss]
        optimizer = keras.optimizers.Adam() if w.optimizer == "adam" else keras.optimizers.SGD(0.01)
        metrics = ["accuracy"] if w.loss != "mse" else []
        model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
        return model

    def epochs(self, w: Workload) -> Callable[[], float]:
        """A function that trains one epoch and returns its seconds."""
        x, y = data(w, STEPS * w.batch)
        model = self.model(w)
        times: list[float] = []

        class Clock(self.keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.start = time.perf_counter()

            def on_epoch_end(self, epoch, logs=None):
                times.append(time.perf_counter() - self.start)

        def run() -> float:
            # The first epoch of each call to fit sets up the data pipeline; the second is what a long run repeats.
            model.fit(x, y, batch_size=w.batch, epochs=2, verbose=0, callbacks=[Clock()])
            return times[-1]

        return run


class Torch:
    """PyTorch eager, with fused optimizers; channels_last where there are images."""

    def __init__(self, channels_last: bool):
        import torch

        self.torch, self.channels_last, self.version = torch, channels_last, torch.__version__
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))

    def model(self, w: Workload):
        torch, nn = self.torch, self.torch.nn

        class Last(nn.Module):
            """The LSTM's output at the last step."""

            def __init__(self, width, units):
                super().__init__()
                self.lstm = nn.LSTM(width, units, batch_first=True)

            def forward(self, x):
                return self.lstm(x)[0][:, -1]

        image = len(w.input_shape) == 3
        x = torch.zeros((1, w.input_shape[2], *w.input_shape[:2]) if image else (1, *w.input_shape))
        x = x.long() if w.tokens else x
        model = nn.Sequential()
        activations = {"relu": nn.ReLU, "sigmoid": None, "softmax": None, None: None}

        def add(layer):
            nonlocal x
            model.append(layer)
            with torch.no_grad():
                x = layer(x)

        for kind, *arguments in w.layers:
            if kind == "dense":
                add(nn.Linear(x.shape[-1], arguments[0]))
                if activations[arguments[1]]:
                    add(activations[arguments[1]]())
            elif kind == "conv":
                filters, size, activation, padding = arguments
                add(nn.Conv2d(x.shape[1], filters, size, padding=padding))
                add(activations[activation]())
            elif kind == "pool":
                add(nn.MaxPool2d(arguments[0]))
            elif kind == "flatten":
                add(nn.Flatten())
            elif kind == "lstm":
                add(Last(x.shape[-1], arguments[0]))
            elif kind == "embedding":
                add(nn.Embedding(*arguments))
        return model.to(memory_format=torch.channels_last) if self.channels_last and image else model

    def epochs(self, w: Workload) -> Callable[[], float]:
        torch = self.torch
        x, y = (torch.from_numpy(a) for a in data(w, STEPS * w.batch))
        if len(w.input_shape) == 3:
            x = x.permute(0, 3, 1, 2)
            x = x.contiguous(memory_format=torch.channels_last) if self.channels_last else x.contiguous()
        model = self.model(w)
        functional = torch.nn.functional
        loss_of = {
            "sparse": lambda p, t: functional.cross_entropy(p, t.long()),
            "mse": functional.mse_loss,
            "binary": functional.binary_cross_entropy_with_logits,
        }[w.loss]
        parameters = list(model.parameters())
        if w.optimizer == "adam":
            optimizer = torch.optim.Adam(parameters, fused=True)
        else:
            optimizer = torch.optim.SGD(parameters, lr=0.01, fused=True)

        def run() -> float:
            start = time.perf_counter()
            total = torch.zeros(())
            for i in range(0, len(x), w.batch):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(model(x[i : i + w.batch]), y[i : i + w.batch])
                loss.backward()
                optimizer.step()
                total += loss.detach()
            total.item()
            return time.perf_counter() - start

        return run


def contestant(name: str):
    if name == "dlcore":
        return KerasStyle("dlcore")
    if name.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = {"tf": "tensorflow"}.get(name[6:], name[6:])
        return KerasStyle("keras")
    return Torch(channels_last=name.endswith("channels_last"))


NAMES = ("dlcore", "keras-tf", "keras-jax", "keras-torch", "torch", "torch-channels_last")


def serve(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to standard error
    try:
        player = contestant(name)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"version": player.version}), file=answers, flush=True)
    runs: dict[str, Callable[[], float]] = {}
    for line in sys.stdin:
        command = json.loads(line)
        w = workload(command["workload"])
        if w.name not in runs:
            runs.clear()
            start = time.perf_counter()
            runs[w.name] = player.epochs(w)
            runs[w.name]()
            first = time.perf_counter() - start
        seconds = runs[w.name]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"ms": 1e3 * seconds / STEPS, "setup_s": first, "peak_mb": peak}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
