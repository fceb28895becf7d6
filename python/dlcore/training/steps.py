"""Steps: what compile() sets up, and what one batch does."""

import functools
import warnings

import numpy as np

from dlcore import backend, ops, tree
from dlcore.backend.arguments import int_from
from dlcore.backend.tensors import Tensor, convert_to_tensor
from dlcore.backend.variables import noting_new
from dlcore.layers.call_spec import signature_of
from dlcore.training.compile_utils import CompiledLoss, CompiledMetrics, results_of, total_loss
from dlcore.training.data import arrays_of, to_arrays, unpack_x_y_sample_weight
from dlcore.training.gradient_tape import GradientTape
from dlcore.training.state import StateAsValues
from dlcore.training.step_programs import ResultsProgram, StepPrograms, input_dtype


class Steps(StateAsValues):
    """The part of Trainer that compile() sets up: the loss, the metrics and the steps, in Python and as programs."""

    # The Functional model that knows the inputs: itself, or that inside a Sequential model; None where there is none.
    _functional = None

    def __init__(self):
        self._programs = {}
        self._compile_arguments = None
        self._compiled_loss = None
        self._compiled_metrics = None
        self._loss_tracker = None
        self.compiled = False
        self.optimizer = None
        self.loss = None
        self.run_eagerly = False
        self.steps_per_execution = 1
        self.jit_compile = False
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history = None
        self._results_program = None
        # Looked up once: when a step is traced, all metrics are made.
        self._metrics_of_steps = None
        self._is_in_step = False

    # ---- compile

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ):
        """Says how the model is trained.

        Args:
            optimizer: name, Optimizer or its configuration.
            loss: name, function or Loss; for several outputs a list or a dict by their names.
            loss_weights: factors of the outputs' losses, list or dict.
            metrics: list of names, functions or Metrics; for several outputs a list of lists or a dict.
            weighted_metrics: metrics that take the sample weights into account.
            run_eagerly: whether each step runs op by op in Python, for debugging.
            steps_per_execution: int, default 1: batches between two calls of callbacks that want every batch.
            jit_compile: kept for Keras's signature; steps are always compiled.
            auto_scale_loss: whether a model of the policy "mixed_float16" gets its optimizer in a LossScaleOptimizer.
        """
        from dlcore import optimizers
        from dlcore.metrics import Mean

        int_from("compile", "steps_per_execution", steps_per_execution, 1)
        new_optimizer = optimizers.get(optimizer)
        if new_optimizer is not None and auto_scale_loss and self.dtype_policy.name == "mixed_float16":
            if not isinstance(new_optimizer, optimizers.LossScaleOptimizer):
                new_optimizer = optimizers.LossScaleOptimizer(new_optimizer, name="loss_scale_optimizer")
        compiled_loss = None if loss is None else CompiledLoss(loss, loss_weights, self)
        has_metrics = metrics is not None or weighted_metrics is not None
        compiled_metrics = CompiledMetrics(metrics, weighted_metrics, self) if has_metrics else None
        # All arguments are good: from here on nothing fails.
        self.optimizer = new_optimizer
        if loss is not None:  # else the model may have set one itself, which its train_step or compute_loss uses
            self.loss = loss
        self._compiled_loss, self._compiled_metrics = compiled_loss, compiled_metrics
        self._loss_tracker = Mean(name="loss") if loss is not None or self._uses_default_loss() else None
        self.run_eagerly = run_eagerly
        self.steps_per_execution = steps_per_execution
        self.jit_compile = False
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": False,
        }
        self._programs = {}
        self._metrics_of_steps = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.compiled = True

    def _uses_default_loss(self):
        """Whether train_step is the one that tracks the loss, also where it comes from add_loss alone."""
        return type(self).train_step is Steps.train_step

    def _check_compiled(self, method):
        if not self.compiled:
            raise ValueError(f"{self._label()}: call compile() before {method}(): it says what to train with.")

    def get_compile_config(self):
        """The arguments of compile() as plain values; None when the model is not compiled."""
        if not self.compiled:
            return None
        from dlcore.saving import serialize_keras_object

        config = {**self._compile_arguments, "optimizer": self.optimizer}
        return {key: serialize_keras_object(value) for key, value in config.items()}

    def compile_from_config(self, config):
        """Compiles with what get_compile_config() returned."""
        if type(self).compile is Steps.compile:
            self._compile_with(config)
        else:
            warnings.warn(
                f"{self._label()} is not compiled, since its class has a compile() of its own. Call it; or define "
                "get_compile_config() and compile_from_config(config).",
                stacklevel=2,
            )

    def _compile_with(self, config):
        from dlcore.saving import deserialize_keras_object

        known = {key: deserialize_keras_object(value) for key, value in config.items()}
        accepted = (
            "optimizer",
            "loss",
            "loss_weights",
            "metrics",
            "weighted_metrics",
            "run_eagerly",
            "steps_per_execution",
        )
        self.compile(**{key: value for key, value in known.items() if key in accepted})
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    # ---- metrics

    @property
    def metrics(self):
        """The loss, the compiled metrics, the losses of single outputs, and the metrics of the layers.

        In a step the compiled metrics are one, "compile_metrics", which takes all outputs, as in Keras.
        """
        metrics = [] if self._loss_tracker is None else [self._loss_tracker]
        if self._compiled_metrics is not None:
            metrics += [self._compiled_metrics] if self._is_in_step else self._compiled_metrics.metrics
        if self._compiled_loss is not None:
            metrics += self._compiled_loss.metrics
        known = {id(metric) for metric in metrics}
        return metrics + [m for m in self._tracked_metrics() if id(m) not in known]

    def _tracked_metrics(self):
        """The metrics that are attributes of this model and its layers; those of models inside are their own."""
        from dlcore.metrics import Metric

        walked = self._walk(Metric)
        return [m for layer, metrics in walked if layer is self or not isinstance(layer, Steps) for m in metrics]

    @property
    def metrics_names(self):
        """Names of the metrics, in their order in the results of `evaluate`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self):
        """Sets the state of all metrics to zero."""
        for metric in self._metrics_of_steps or self.metrics:
            metric.reset_state()
        if self._compiled_metrics is not None and not self._compiled_metrics.is_built:
            self._compiled_metrics.reset_state()

    def get_metrics_result(self):
        """dict of name -> value now, of all metrics."""
        return results_of(self.metrics)

    def _listed(self, logs):
        """The values of logs as a list, or the only one: the loss, the compiled metrics of a single output, the losses
        of several outputs, the metrics of layers, then the others by their names."""
        if len(logs) == 1:
            return next(iter(logs.values()))
        compiled = self._compiled_metrics
        by_name = compiled.metrics if compiled is not None and compiled.of_several_outputs else []
        metrics = self._metrics_of_steps or self.metrics
        names = [metric.name for metric in metrics if metric not in by_name and metric.name in logs]
        return [logs[name] for name in [*names, *sorted(set(logs) - set(names))]]

    # ---- steps: what one batch does

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The scalar that is minimised: the compiled loss and what add_loss and the regularizers add.

        A subclass may compute another one.

        Args:
            x: the inputs; the compiled loss does not need them.
            y: the targets.
            y_pred: the outputs.
            sample_weight: weight of each row, default None.
            training: bool, default True: whether it is a step of training.

        Raises:
            ValueError: there is no loss, or the compiled one has no targets.
        """
        losses = []
        if self._compiled_loss is not None:
            value = self._compiled_loss(y, y_pred, sample_weight)
            if value is not None:
                losses.append(value)
            elif self._compiled_loss.has_any:
                raise ValueError(f"{self._label()} has a loss but got no targets: pass `y` (the data yields only x).")
        losses += self.losses
        if not losses:
            raise ValueError(
                f"{self._label()} has no loss to compute. Pass `loss` to compile(), or use add_loss() in a layer."
            )
        return total_loss(losses)

    def _loss_of_step(self, x, y, y_pred, sample_weight, training):
        """compute_loss(), which a subclass may define without the argument `training`."""
        signature = signature_of(type(self).compute_loss)
        flag = {"training": training} if signature.has_training or signature.has_kwargs else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **flag)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the compiled metrics with a batch and returns a dict of all results.

        Args:
            x, y, y_pred, sample_weight: as for `compute_loss`.
        """
        if self._compiled_metrics is not None:
            self._compiled_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def compiled_loss(self, y, y_pred, sample_weight=None, regularization_losses=None):
        """What a Keras 2 train_step calls: compute_loss(), which also updates the metric `loss`.

        Args:
            y, y_pred, sample_weight: as for `compute_loss`.
            regularization_losses: not used: they are always part of the loss.
        """
        warnings.warn(
            "model.compiled_loss() and model.compiled_metrics are deprecated. Call compute_loss(y=y, y_pred=y_pred) "
            "and compute_metrics(x, y, y_pred) instead.",
            stacklevel=2,
        )
        loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
        self._track_loss(loss, y)
        return loss

    @property
    def compiled_metrics(self):
        """What a Keras 2 train_step calls `update_state(y, y_pred)` of: the metrics given to compile()."""
        return self._compiled_metrics or CompiledMetrics(None, None, self)

    def train_step(self, data):
        """One step of training. Returns a dict of results for the logs."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._loss_of_step(x, y, y_pred, sample_weight, training=True)
            scaled_loss = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        self._track_loss(loss, x)
        weights = self.trainable_weights
        if weights:
            self.optimizer.apply_gradients(zip(tape.gradient(scaled_loss, weights), weights))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data):
        """One step of evaluation. Returns a dict of results for the logs."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        if self._compiled_loss is not None or self.losses or type(self).compute_loss is not Steps.compute_loss:
            self._track_loss(self._loss_of_step(x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data):
        """The outputs for one batch."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    def _track_loss(self, loss, x):
        if self._loss_tracker is not None:
            first = next(leaf for leaf in tree.flatten(x) if leaf is not None)
            self._loss_tracker.update_state(loss, sample_weight=_rows(first))

    # ---- steps as programs

    def _step_programs(self, kind):
        if kind not in self._programs:
            # The methods _trace_train, _trace_test, _trace_predict and (of graphs) _trace_call.
            self._programs[kind] = StepPrograms(getattr(self, f"_trace_{kind}"), self._input_dtypes)
        return self._programs[kind]

    def make_train_function(self, force=False):
        """Kept for Keras's signature: steps are traced when their data is known."""
        if force:
            self._programs.pop("train", None)

    def make_test_function(self, force=False):
        """As make_train_function."""
        if force:
            self._programs.pop("test", None)

    def make_predict_function(self, force=False):
        """As make_train_function."""
        if force:
            self._programs.pop("predict", None)

    def _trace_train(self, data):
        return self._trace_logs(self.train_step, data)

    def _trace_test(self, data):
        return self._trace_logs(self.test_step, data)

    def _trace_logs(self, step, data):
        """The step's results are read from the metrics afterwards; those that are no metrics must be kept."""
        logs = self._logs_of(step, data)
        self._metrics_of_steps = self.metrics
        self._results_program = ResultsProgram(self.get_metrics_result)
        own = {} if set(logs) == set(self._results_program.names) else logs
        return (), {name: value for name, value in own.items() if np.ndim(value) == 0 or isinstance(value, Tensor)}

    def _logs_of(self, step, data):
        """Traces a step: its dict of results."""
        _check_takes_data(step)
        try:
            return self._keeping_weights(functools.partial(self._call_step, step), data)
        finally:
            self._clear_losses()

    def _call_step(self, step, data):
        """The results of a step as a flat dict."""
        self._is_in_step = True
        try:
            logs = step(data)
        finally:
            self._is_in_step = False
        if not isinstance(logs, dict):
            raise ValueError(f"{step.__name__}() should return a dict of results. Returned: {logs!r}")
        return _flat(logs)

    def _keeping_weights(self, step, data):
        """Calls the step; the weights that are made in it must be the model's, in the place of no others."""
        before = self.weights
        with noting_new() as new:
            results = step(data)
        if any(variable.trainable for variable in new):
            kept = {id(variable) for variable in self.weights}
            lost = [v.path for v in (*new, *before) if v.trainable and id(v) not in kept]
            if lost:
                raise ValueError(
                    f"{self._label()}: call() made layers or weights that are not kept from one call to the next, "
                    f"{lost}: they would begin anew and never be trained. Make them in __init__() or build() and keep "
                    "them as attributes."
                )
        return results

    def _trace_predict(self, data):
        try:
            return self._keeping_weights(self.predict_step, data), {}
        finally:
            self._clear_losses()

    def _input_dtypes(self, structure):
        """The dtypes of a step's inputs: those of the placeholders for x, else by the arrays."""
        x = unpack_x_y_sample_weight(structure)[0]
        wanted = {} if self._functional is None else self._functional._dtypes_of_inputs(x)
        return [input_dtype(a, wanted.get(id(a))) for a in arrays_of(structure)]

    def _prepared(self, x):
        """The arrays that steps are given for the user's x; where first layers look at it, the numbers they make."""
        return to_arrays(x, "x", strings=self._takes_strings())

    def _takes_strings(self):
        """Whether steps are given strings, which a layer of the model's turns into numbers."""
        return any(layer.looks_at_values for layer in self._flatten_layers())

    def _run_batch(self, kind, data):
        """One step of structures of arrays as a program. Returns the program, with its logs that are no metrics."""
        step, arrays = self._step_programs(kind).with_arrays(data)
        step.program.run_batches(arrays)
        return step

    def _eager_batch(self, step, data):
        logs = self._call_step(step, self._as_tensors(data))
        return {name: _number(value) for name, value in logs.items()}

    def _as_tensors(self, data):
        dtypes_of_inputs = iter(self._input_dtypes(data))
        leaves = []
        for a in tree.flatten(data):
            dtype = None if a is None else next(dtypes_of_inputs)
            leaves.append(a if a is None or backend.is_text(a) else convert_to_tensor(a, dtype))
        return tree.pack_sequence_as(data, leaves)


def _check_takes_data(step):
    signature = signature_of(step.__func__)
    names = [name for name in signature.names if name not in signature.defaults]
    if len(names) > 1:
        gradients = ", which takes gradients with GradientTape and" if step.__name__ == "train_step" else ", which"
        raise TypeError(
            f"{step.__name__}() takes the batch alone. Got the arguments {names}, as in Keras on JAX. Define "
            f"{step.__name__}(self, data){gradients} assigns to variables."
        )


def _flat(logs):
    """The results of a step, with those of a metric that has several in its place."""
    flat = {}
    for name, value in logs.items():
        flat.update(_flat(value) if isinstance(value, dict) else {name: value})
    return flat


def _rows(x):
    """The size of the batch: an int, or a tensor where it is free, as in exported steps."""
    if x.shape[0] is not None:
        return x.shape[0]
    return ops.sum(ops.ones_like(x[(slice(None), *(0 for _ in x.shape[1:]))], dtype="float32"))


def _number(value):
    """A float of a scalar; an array of anything else."""
    array = np.asarray(backend.convert_to_numpy(value))
    return array.item() if array.ndim == 0 else array
