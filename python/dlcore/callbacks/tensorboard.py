import io
import os
import time
import warnings

import numpy as np

from dlcore import backend
from dlcore.backend.arguments import int_from, positive_int
from dlcore.callbacks.callback import Callback


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir logs`. Needs the package tensorboard, not TensorFlow.

    Args:
        log_dir: folder, default `"logs"`; training and validation get a folder each in it.
        histogram_freq: int, default 0: histograms of the weights every so many epochs.
        write_graph: bool, default True: the model's layers.
        write_images: bool, default False: with the histograms, weights as pictures (needs Pillow).
        write_steps_per_second: bool, default False.
        update_freq: `"epoch"` (default), `"batch"`, or an int: results every so many batches too.
        profile_batch: ignored, with a warning: there is no profile of single operations to write.
        embeddings_freq: int, default 0: the embeddings for the projector every so many epochs.
        embeddings_metadata: path of their labels, or dict layer name -> path.

    Raises:
        ImportError: tensorboard is not installed.
    """

    _checked_otherwise = ("profile_batch",)

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        super().__init__()
        int_from("TensorBoard", "histogram_freq", histogram_freq or 0, 0)
        int_from("TensorBoard", "embeddings_freq", embeddings_freq or 0, 0)
        if update_freq not in ("epoch", "batch"):
            positive_int("TensorBoard", "update_freq", update_freq)
        if profile_batch:
            warnings.warn(
                f"TensorBoard: there is no profile to write; profile_batch={profile_batch!r} is ignored.",
                stacklevel=2,
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self.needs_every_batch = self.update_freq != "epoch"
        self._writers = {}
        self._train_batches = 0
        self._epoch_begin = None

    def set_model(self, model):
        super().set_model(model)
        self._writers = {}
        if self.write_graph:
            self._write_graph()
        if self.embeddings_freq:
            self._describe_embeddings()

    def _writer(self, part):
        """The writer of "train" or "validation"."""
        if part not in self._writers:
            self._writers[part] = _Writer(os.path.join(self.log_dir, part))
        return self._writers[part]

    def _write_graph(self):
        if self.model._functional is None:
            return  # only models that are graphs of layers have one
        try:
            text = self.model.to_json()
        except (TypeError, ValueError, NotImplementedError) as error:
            warnings.warn(f"TensorBoard can't show the graph of '{self.model.name}': {error}", stacklevel=3)
            return
        self._writer("train").text("keras", "graph_keras_model", text, step=0)

    def on_train_begin(self, logs=None):
        self._train_batches = 0

    def on_train_end(self, logs=None):
        for writer in self._writers.values():
            writer.close()
        self._writers, self._epoch_begin = {}, None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_begin = time.perf_counter(), self._iterations()

    def on_train_batch_begin(self, batch, logs=None):
        self._batch_begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._train_batches += 1
        if self.update_freq == "epoch" or self._train_batches % self.update_freq:
            return
        writer = self._writer("train")
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._batch_begin, 1e-9)
            writer.scalar("batch_steps_per_second", 1 / seconds, self._train_batches)
        for name, value in (logs or {}).items():
            writer.scalar(f"batch_{name}", value, self._train_batches)

    def on_test_end(self, logs=None):
        if self.model.optimizer is not None:
            for name, value in (logs or {}).items():
                self._writer("validation").scalar(f"evaluation_{name}_vs_iterations", value, self._iterations())
        if self._epoch_begin is None:  # evaluate() alone
            self.on_train_end()

    def on_epoch_end(self, epoch, logs=None):
        values = {"train": {}, "validation": {}}
        for name, value in (logs or {}).items():
            values["validation" if name.startswith("val_") else "train"][name.removeprefix("val_")] = value
        values["train"].update(self._learning_rates())
        if self.write_steps_per_second:
            begin, done = self._epoch_begin
            values["train"]["steps_per_second"] = (self._iterations() - done) / (time.perf_counter() - begin)
        for part, results in values.items():
            for name, value in results.items():
                self._writer(part).scalar(f"epoch_{name}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            folder = os.path.join(self.log_dir, "train")
            self.model.save_weights(os.path.join(folder, f"keras_embedding.ckpt-{epoch}.weights.h5"))
        for writer in self._writers.values():
            writer.flush()

    def _iterations(self):
        optimizer = self.model.optimizer
        return 0 if optimizer is None else int(np.asarray(backend.convert_to_numpy(optimizer.iterations)))

    def _learning_rates(self):
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if hasattr(optimizer, "optimizers"):
            return {f"learning_rate_{o.name}": backend.convert_to_numpy(o.learning_rate) for o in optimizer.optimizers}
        return {} if optimizer is None else {"learning_rate": backend.convert_to_numpy(optimizer.learning_rate)}

    def _write_weights(self, epoch):
        writer = self._writer("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                value = weight.numpy().astype("float64")
                writer.histogram(f"{weight.path}/histogram", value, epoch)
                if self.write_images:
                    images = _as_images(value)
                    if images is not None:
                        writer.images(f"{weight.path}/image", images, epoch)

    def _describe_embeddings(self):
        """The file that tells the projector which weights are embeddings."""
        _import_tensorboard()
        from google.protobuf import text_format
        from tensorboard.plugins import projector

        from dlcore.layers import Embedding

        labels = self.embeddings_metadata
        names = [layer.name for layer in self.model.layers if isinstance(layer, Embedding)]
        unknown = [name for name in labels if name not in names] if isinstance(labels, dict) else []
        if unknown:
            raise ValueError(f"TensorBoard: embeddings_metadata names {unknown}, but the Embedding layers are {names}.")
        config = projector.ProjectorConfig()
        for name in names:
            embedding = config.embeddings.add()
            embedding.tensor_name = f"{name}/embeddings"
            path = labels.get(name) if isinstance(labels, dict) else labels
            if path is not None:
                embedding.metadata_path = os.fspath(path)
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as file:
            file.write(text_format.MessageToString(config))


def _as_images(weights):
    """A weight as grey or colour pictures (N, height, width, channels) with values 0 .. 1, or None."""
    x = np.squeeze(weights)
    if x.ndim == 1:
        x = x.reshape(1, -1, 1, 1)
    elif x.ndim == 2:
        x = (x.T if x.shape[0] > x.shape[1] else x)[np.newaxis, ..., np.newaxis]
    elif x.ndim == 3:
        x = x.transpose(2, 0, 1)[..., np.newaxis]
    return np.clip(x, 0, 1) if x.ndim == 4 and x.shape[-1] in (1, 3, 4) else None


def _import_tensorboard():
    try:
        import tensorboard
    except ImportError as error:
        raise ImportError("The TensorBoard callback needs tensorboard: pip install tensorboard") from error
    return tensorboard


class _Writer:
    """One file of TensorBoard's events."""

    def __init__(self, folder):
        _import_tensorboard()
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util import tensor_util

        self._event, self._summary = event_pb2.Event, summary_pb2
        self._make_tensor = tensor_util.make_tensor_proto
        self._file = EventFileWriter(folder)

    def _add(self, tag, kind, tensor, step, content=b""):
        plugin = self._summary.SummaryMetadata.PluginData(plugin_name=kind, content=content)
        metadata = self._summary.SummaryMetadata(plugin_data=plugin)
        value = self._summary.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
        summary = self._summary.Summary(value=[value])
        self._file.add_event(self._event(summary=summary, step=int(step), wall_time=time.time()))

    def scalar(self, tag, value, step):
        value = np.asarray(backend.convert_to_numpy(value), "float32")
        if value.ndim == 0:
            self._add(tag, "scalars", self._make_tensor(value), step)

    def histogram(self, tag, values, step, buckets=30):
        """Rows of (left edge, right edge, count)."""
        counts, edges = np.histogram(values, bins=buckets)
        self._add(tag, "histograms", self._make_tensor(np.stack([edges[:-1], edges[1:], counts], axis=1)), step)

    def images(self, tag, images, step):
        """Width, height and a PNG file each, as strings."""
        from dlcore.utils.images import array_to_img

        strings = [str(images.shape[2]).encode(), str(images.shape[1]).encode()]
        for image in images[:3]:
            content = io.BytesIO()
            array_to_img(image * 255, "channels_last", scale=False).save(content, format="png")
            strings.append(content.getvalue())
        self._add(tag, "images", self._make_tensor(np.array(strings, dtype=object)), step)

    def text(self, tag, kind, text, step):
        self._add(tag, kind, self._make_tensor(text.encode()), step, content=b"1")

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()
