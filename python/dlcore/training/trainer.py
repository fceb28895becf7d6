"""Trainer: fit, evaluate, predict and their single-batch forms."""

import warnings

import numpy as np

from dlcore import backend, tree
from dlcore.backend.arguments import int_from
from dlcore.backend.config import limited, max_epochs, max_steps_per_epoch
from dlcore.backend.tracebacks import shortened, shortening
from dlcore.random.seed_generator import SeedGenerator
from dlcore.training import processes
from dlcore.training.data import (
    ArraySource,
    NoBatch,
    make_batch,
    make_source,
    with_validation,
)
from dlcore.training.step_programs import ResultsProgram
from dlcore.training.steps import Steps

# Seconds that one call into C++ may take: the progress bar moves, and Ctrl-C is heard, this often.
_STRETCH = 0.1
_ENDLESS = 1e9


class Trainer(Steps):
    """The training half of Model. A subclass may define train_step, test_step, predict_step or compute_loss."""

    # ---- fit

    @shortening
    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains the model for some epochs.

        Args:
            x: array, tensor, list or dict of arrays; or a PyDataset, generator or iterable of batches.
            y: the targets, when x is arrays.
            batch_size: rows per step, default 32.
            epochs: the number of the last epoch.
            verbose: 0 silent, 1 progress bar, 2 a line per epoch, "auto" 1.
            callbacks: list of Callbacks.
            validation_split: the part of the rows, at the end, that is held back for validation.
            validation_data: (x, y) or (x, y, sample_weight), or a source of batches.
            shuffle: whether each epoch takes the rows in a new order, or the batches of your own PyDataset.
            class_weight: dict from class to weight.
            sample_weight: weight of each row.
            initial_epoch: the epochs that are done already.
            steps_per_epoch: batches of each epoch, default all. Where it is less, an epoch goes on where the one before
                stopped.
            validation_steps, validation_batch_size, validation_freq: likewise for validation.

        Returns:
            A History: `history.history["loss"]` lists the loss of each epoch.
        """
        self._check_compiled("fit")
        _check_counts("fit", 0, epochs=epochs, initial_epoch=initial_epoch)
        _check_counts("fit", 1, steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if not isinstance(validation_freq, (list, tuple)):
            _check_counts("fit", 1, validation_freq=validation_freq)
        source = make_source(x, y, sample_weight, batch_size, shuffle, class_weight, prepare=self._prepared)
        source, validation = with_validation(
            source, validation_split, validation_data, validation_batch_size or batch_size, self._prepared
        )
        source, validation = processes.part_of(source), processes.part_of(validation, whole=True)
        self._share_weights(source)
        self._check_validation(validation)
        epochs = limited(epochs, max_epochs())
        steps_per_epoch, validation_steps = (
            _within_limit(source, steps_per_epoch),
            _within_limit(validation, validation_steps),
        )
        callbacks = self._callback_list(callbacks, verbose, epochs, _steps(source, steps_per_epoch))
        self.stop_training = False
        self._initial_epoch = initial_epoch
        callbacks.on_train_begin()
        logs = {}
        try:
            # BackupAndRestore changes the first epoch.
            for epoch in range(self._initial_epoch, epochs):
                try:
                    logs = self._train_epoch(source, callbacks, epoch, steps_per_epoch)
                except NoBatch:
                    if epoch == self._initial_epoch:
                        raise
                    warnings.warn(
                        f"The data is used up: training ends after {epoch} of {epochs} epochs. A generator must yield "
                        "the batches of all epochs; a PyDataset or a list of batches begins again.",
                        stacklevel=3,
                    )
                    break
                if validation is not None and _is_due(epoch, validation_freq):
                    val_logs = self._evaluate(validation, callbacks, validation_steps)
                    logs = dict(sorted({**logs, **{f"val_{name}": value for name, value in val_logs.items()}}.items()))
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        finally:
            source.rewind()  # lets go of what makes batches ahead
        if self.optimizer is not None and hasattr(self.optimizer, "finalize_variable_values"):
            self.optimizer.finalize_variable_values(self.trainable_weights)
        callbacks.on_train_end(logs)
        return self.history

    def _check_validation(self, validation):
        """Traces the step of validation now, so that arrays of wrong shapes are found before an epoch has trained."""
        if self._runs_from_memory(validation) and self.built:
            self._step_programs("test").get(validation.structure, min(validation.batch_size, validation.rows))

    def _share_weights(self, source):
        """Where processes train together, they begin with the same weights and state."""
        if processes.together() is None:
            return
        if isinstance(source, ArraySource) and source.feeds_programs:
            self._step_programs("train").get(source.structure, min(source.batch_size, source.rows))  # makes them all
        elif not self.built:
            raise ValueError(f"{self._label()}: build the model before processes train it together on batches.")
        optimizer = [] if self.optimizer is None else self.optimizer.variables
        layers = self._flatten_layers()
        generators = [g for layer in layers for g in vars(layer).values() if isinstance(g, SeedGenerator)]
        processes.share_variables([*self.variables, *optimizer], generators)

    def _over_processes(self, logs, step=None):
        """The logs of an epoch, of the rows of all processes where they train together."""
        group = processes.together()
        if group is None or not logs:
            return logs
        if step is not None and step.logs:
            return dict(zip(logs, group.mean(list(logs.values()))))
        return ResultsProgram(lambda: processes.with_summed_state(self.metrics, self.get_metrics_result))()

    def _callback_list(self, callbacks, verbose, epochs, steps):
        from dlcore.callbacks import CallbackList

        if isinstance(callbacks, CallbackList):
            return callbacks
        verbose = _verbosity(verbose)
        if processes.together() is not None and processes.together().rank > 0:
            verbose = 0
        return CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    def _train_epoch(self, source, callbacks, epoch, steps):
        self.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        if self._runs_from_memory(source):
            logs = self._run_arrays("train", source, callbacks, steps)
        else:
            logs = self._run_stream("train", source, callbacks, steps)
        return dict(sorted(logs.items()))  # the order of History and of the progress bar

    def _runs_from_memory(self, source):
        """Whether programs gather the rows of batches from the user's arrays themselves."""
        return isinstance(source, ArraySource) and source.feeds_programs and not self.run_eagerly

    def _run_arrays(self, kind, source, callbacks, steps=None):
        """An epoch over rows of arrays: many batches in one call."""
        every_batch = needs_every_batch(callbacks, kind)
        span = self.steps_per_execution if every_batch else 1
        order, first, total = source.take(steps)
        _warn_if_short(total - first, steps)
        done, whole = first, min(source.rows // source.batch_size, total)
        begin, end = getattr(callbacks, f"on_{kind}_batch_begin"), getattr(callbacks, f"on_{kind}_batch_end")
        logs = {}
        while done < total and not self._is_stopped(kind):
            rows = source.batch_size if done < whole else source.rows - whole * source.batch_size
            step = self._step_programs(kind).get(source.structure, rows)
            count = 1 if done >= whole else whole - done
            behind = (done - first) % span  # batches since callbacks were called: the last one may be smaller
            count = min(count, span - behind) if every_batch else count
            if not behind:
                begin(done - first)
            row = done * source.batch_size
            if order is None and done >= whole:
                arrays, row = [a[row:] for a in source.arrays], 0
            else:
                arrays = source.kept_arrays
            done += step.program.run_batches(arrays, order, row, count, _ENDLESS if every_batch else _STRETCH)
            if done < total and (done - first) % span:
                continue
            logs = self._results(step)
            end(done - first - 1, logs)
        return self._over_processes(logs, step) if logs else logs

    def _is_stopped(self, kind):
        """Whether a callback asked to stop."""
        return self.stop_training if kind == "train" else self.stop_evaluating

    def _run_stream(self, kind, source, callbacks, steps=None):
        """An epoch over batches that come one by one."""
        begin, end = getattr(callbacks, f"on_{kind}_batch_begin"), getattr(callbacks, f"on_{kind}_batch_end")
        if hasattr(source, "on_epoch_begin"):
            source.on_epoch_begin()
        logs, count, step, is_running = {}, 0, None, False
        for batch in source.batches(steps):
            if not is_running:
                begin(count)
            if self.run_eagerly:
                logs = self._eager_batch(self.train_step if kind == "train" else self.test_step, batch)
            else:
                step = self._run_batch(kind, batch)
            count += 1
            is_running = count % self.steps_per_execution != 0
            if is_running:
                continue
            logs = self._results(step) if step is not None else logs
            end(count - 1, logs)
            if self._is_stopped(kind):
                break
        if is_running:
            logs = self._results(step) if step is not None else logs
            end(count - 1, logs)
        if hasattr(source, "on_epoch_end"):
            source.on_epoch_end()
        if count == 0:
            raise NoBatch(
                f"The data {'to train on' if kind == 'train' else 'to evaluate on'} yielded no batch: the generator is "
                "used up, or the data set is empty. A PyDataset or a list of batches begins again each time."
            )
        if not self._is_stopped(kind):
            _warn_if_short(count, source.num_batches if steps is None else steps)
        return self._over_processes(logs, step)

    def _results(self, step):
        """The logs after a step: its own, or the results of the metrics."""
        if step.logs:
            return step.read_logs()
        return self._results_program()

    # ---- evaluate and predict

    @shortening
    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """The loss and metrics on data.

        Args:
            x, y, sample_weight: as in fit().
            batch_size: rows per step, default 32.
            verbose: 0 silent, 1 progress bar, 2 one line, "auto" 1.
            steps: int, default None: all batches; of data without end, how many.
            callbacks: list of Callbacks.
            return_dict: whether to return a dict rather than a list.

        Returns:
            The loss, or a list of the loss and the metrics, or a dict of them.
        """
        self._check_compiled("evaluate")
        _check_counts("evaluate", 1, steps=steps)
        source = make_source(x, y, sample_weight, batch_size, prepare=self._prepared)
        source = processes.part_of(source, whole=True)
        steps = _within_limit(source, steps)
        callbacks = self._callback_list(callbacks, verbose, 1, _steps(source, steps))
        logs = self._evaluate(source, callbacks, steps)
        return dict(sorted(logs.items())) if return_dict else self._listed(logs)

    def _evaluate(self, source, callbacks, steps=None):
        self.stop_evaluating = False
        source.rewind()
        self.reset_metrics()
        callbacks.on_test_begin()
        if self._runs_from_memory(source):
            logs = self._run_arrays("test", source, callbacks, steps)
        else:
            logs = self._run_stream("test", source, callbacks, steps)
        callbacks.on_test_end(logs)
        return logs

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for all rows, as NumPy arrays.

        Args:
            x: as in fit().
            batch_size: rows per step, default 32.
            verbose: 0 silent, 1 progress bar, "auto": a bar when it takes more than a moment.
            steps: int, default None: all batches; of data without end, how many.
            callbacks: list of Callbacks.

        Returns:
            An array (rows, ...), or arrays in the structure of the model's outputs.
        """
        try:
            if steps is None and callbacks is None and verbose in (0, "auto"):
                step = self._known_prediction(x, batch_size)
                if step is not None:
                    return _pack(step, step.program.run_batch((x,)))
            return self._predict_source(x, batch_size, verbose, steps, callbacks)
        except Exception as error:
            raise shortened(error)  # noqa: B904, the same error

    def _known_prediction(self, x, batch_size):
        """The program for an array of a single batch like one that was predicted before, else None."""
        programs = self._programs.get("predict")
        if programs is None or type(x) is not np.ndarray or self.run_eagerly:
            return None
        step = programs.known(x)
        if step is None or step.rows is None or not x.flags.c_contiguous:
            return None
        if batch_size is None:
            batch_size = 32
        return step if type(batch_size) is int and 0 < step.rows <= batch_size else None

    def _predict_source(self, x, batch_size, verbose, steps, callbacks):
        _check_counts("predict", 1, steps=steps)
        source = make_source(x, batch_size=batch_size, prepare=self._prepared)
        steps = _within_limit(source, steps)
        if self._runs_from_memory(source) and steps is None and callbacks is None and verbose in (0, "auto"):
            return self._predict_arrays(source, None if verbose == 0 else "auto")
        callbacks = self._callback_list(callbacks, verbose, 1, _steps(source, steps))
        callbacks.on_predict_begin()
        outputs = self._predict_stream(source, callbacks, steps)
        callbacks.on_predict_end()
        return outputs

    def _predict_arrays(self, source, verbose):
        """The outputs of all rows, written by the program straight into the result."""
        results, done = None, 0
        batch, total = source.batch_size, source.num_batches
        whole = source.rows // batch
        progress, is_shown = _progress(total) if verbose and whole > 1 else None, False
        while done < total:
            rows, count = (batch, whole - done) if done < whole else (source.rows - whole * batch, 1)
            step = self._step_programs("predict").get(source.structure, rows)
            if step.rows is None:
                return self._predict_stream(source, None)
            if results is None:
                results = [np.empty((source.rows, *shape[1:]), _numpy_dtype(dtype)) for shape, dtype in step.outputs]
            done += step.program.run_batches(source.kept_arrays, None, done * batch, count, _STRETCH, results)
            is_shown = is_shown or done < whole
            if progress and is_shown:
                progress.update(done)
        return _pack(step, results)

    def _predict_stream(self, source, callbacks, steps=None):
        self.stop_predicting, parts, behind = False, [], 0
        if hasattr(source, "on_epoch_begin"):
            source.on_epoch_begin()
        for count, batch in enumerate(source.batches(steps)):
            if callbacks and not behind:
                callbacks.on_predict_batch_begin(count)
            parts.append(self._predict_batch(batch))
            behind = (behind + 1) % self.steps_per_execution
            if callbacks and not behind:
                callbacks.on_predict_batch_end(count, {"outputs": _joined(parts[-self.steps_per_execution :])})
                if self.stop_predicting:
                    break
        if hasattr(source, "on_epoch_end"):
            source.on_epoch_end()
        if not parts:
            raise ValueError("Received empty data: there is not a single batch to predict.")
        if callbacks and behind:
            callbacks.on_predict_batch_end(count, {"outputs": _joined(parts[-behind:])})
        return _joined(parts)

    def _predict_batch(self, batch):
        if self.run_eagerly:
            return tree.map_structure(backend.convert_to_numpy, self.predict_step(self._as_tensors(batch)))
        outputs, structure = self._run_for_outputs("predict", batch)
        return tree.map_structure(lambda i: None if i is None else outputs[i].numpy(), structure)

    def _run_for_outputs(self, kind, batch):
        """Output tensors of one run, and their structure."""
        step, arrays = self._step_programs(kind).with_arrays(batch)
        return step.program.run(arrays), step.structure

    # ---- single batches

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: as in fit(), of one batch.
            return_dict: whether to return a dict rather than a list.

        Returns:
            The loss and metrics of this batch, as `evaluate` does.
        """
        self._check_compiled("train_on_batch")
        self.reset_metrics()
        batch = make_batch(self._prepared(x), y, sample_weight, class_weight)
        if self.run_eagerly:
            logs = self._eager_batch(self.train_step, batch)
        else:
            logs = self._results(self._run_batch("train", batch))
        return dict(sorted(logs.items())) if return_dict else self._listed(logs)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """One step of evaluation on one batch.

        Args:
            x, y, sample_weight: as in fit(), of one batch.
            return_dict: whether to return a dict rather than a list.

        Returns:
            The loss and metrics of this batch, as `evaluate` does.
        """
        self._check_compiled("test_on_batch")
        self.reset_metrics()
        batch = make_batch(self._prepared(x), y, sample_weight)
        if self.run_eagerly:
            logs = self._eager_batch(self.test_step, batch)
        else:
            logs = self._results(self._run_batch("test", batch))
        return dict(sorted(logs.items())) if return_dict else self._listed(logs)

    def predict_on_batch(self, x):
        """The outputs for one batch x, as NumPy arrays."""
        return self._predict_batch(make_batch(self._prepared(x)))


def _joined(parts):
    """The outputs of several batches, one after another."""
    return tree.map_structure(lambda *arrays: np.concatenate([np.atleast_1d(a) for a in arrays]), *parts)


def _pack(step, outputs):
    """A step's outputs in the structure of its results."""
    if type(step.structure) is int:  # most often
        return outputs[step.structure]
    return tree.map_structure(lambda i: None if i is None else outputs[i], step.structure)


def _check_counts(method, least, **counts):
    for name, count in counts.items():
        if count is not None:
            int_from(method, name, count, least)


def _steps(source, steps):
    if steps is None:
        return source.num_batches
    return steps if source.num_batches is None else min(steps, source.num_batches)


def _warn_if_short(count, expected):
    if expected is not None and count < expected:
        warnings.warn(
            f"The data ran out after {count} of {expected} batches. It should have enough for the steps of all epochs.",
            stacklevel=4,
        )


def _within_limit(source, steps):
    """The number of steps, or that which `config.set_max_steps_per_epoch` allows where it is smaller."""
    limit = max_steps_per_epoch()
    if limit is None or source is None or limit >= (limited(steps, source.num_batches) or limit + 1):
        return steps
    return limit


def _is_due(epoch, validation_freq):
    if isinstance(validation_freq, (list, tuple)):
        return epoch + 1 in validation_freq
    return (epoch + 1) % validation_freq == 0


def _numpy_dtype(name):
    if name == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return name


def _progress(total):
    from dlcore.utils import Progbar

    return Progbar(total, verbose=_verbosity("auto"))


def _verbosity(verbose):
    """ "auto" is the progress bar, or a line per epoch where messages go into the log."""
    from dlcore.utils.console import is_interactive_logging_enabled

    return (1 if is_interactive_logging_enabled() else 2) if verbose == "auto" else verbose


def needs_every_batch(callbacks, kind):
    """Whether a callback wants to be called at each batch, not just now and then."""
    from dlcore.callbacks import Callback

    hooks = ["on_batch_begin", "on_batch_end"] if kind == "train" else []
    hooks += [f"on_{kind}_batch_begin", f"on_{kind}_batch_end"]
    for callback in callbacks.callbacks:
        declared = getattr(callback, "needs_every_batch", None)
        if declared is not None:
            if declared:
                return True
            continue
        for hook in hooks:
            method = getattr(callback, hook, None)
            if getattr(method, "__func__", method) is not getattr(Callback, hook, None):
                return True
    return False
