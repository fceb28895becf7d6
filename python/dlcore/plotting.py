"""Pictures of a training run and of predictions, with matplotlib."""

import math
import sys

import numpy as np


def plot_history(history, metrics=None, path=None):
    """Learning curves: one panel per metric, training and validation values by epoch.

    Args:
        history: what `fit` returned, or a dict {metric name: values by epoch}.
        metrics: names to show; None shows all.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.
    """
    values = getattr(history, "history", history)
    names = list(metrics or (name for name in values if not name.startswith("val_")))
    missing = [name for name in names if name not in values]
    if missing or not names:
        raise ValueError(f"plot_history: no values for {missing or 'any metric'}. There are {sorted(values)}.")
    figure = _new_figure((4.5 * len(names), 3.4))
    for i, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), i)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in values:
                epochs = range(1, len(values[key]) + 1)
                axes.plot(epochs, values[key], label=label, marker="o" if len(epochs) < 20 else None, markersize=3)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return _finish(figure, path)


def plot_predictions(images, predictions, labels=None, class_names=None, columns=8, path=None):
    """A grid of images, each titled with the predicted class: green if it equals the label, red with the label if not.

    Args:
        images: array (N, height, width), (N, height, width, 1) or (N, height, width, 3).
        predictions: class numbers (N,), or class probabilities (N, classes).
        labels: true class numbers (N,) or (N, 1).
        class_names: names by class number.
        columns: images per row.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.
    """
    images, predictions = np.asarray(images), np.asarray(predictions)
    if predictions.ndim == 2:
        predictions = predictions.argmax(axis=1)
    labels = None if labels is None else np.asarray(labels).reshape(-1)
    counts = {len(array) for array in (images, predictions, labels) if array is not None}
    if images.ndim not in (3, 4) or len(counts) > 1 or not len(images):
        raise ValueError(
            f"plot_predictions expects as many predictions and labels as images. Got images {images.shape}, "
            f"predictions {predictions.shape}, labels {None if labels is None else labels.shape}."
        )
    rows = math.ceil(len(images) / columns)
    figure = _new_figure((1.3 * columns, 1.5 * rows))
    for i, (image, predicted) in enumerate(zip(images, predictions)):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image.squeeze(), cmap="gray_r" if image.squeeze().ndim == 2 else None)
        axes.set_axis_off()
        right = labels is None or predicted == labels[i]
        title = _name(predicted, class_names) + ("" if right else f" ({_name(labels[i], class_names)})")
        axes.set_title(title, fontsize=8, color="black" if labels is None else "green" if right else "red")
    return _finish(figure, path)


def _name(number, class_names):
    return str(class_names[int(number)] if class_names else int(number))


def _new_figure(size):
    """A figure; one that pyplot shows, if the program uses pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("dlcore.plotting needs matplotlib: pip install matplotlib") from error
    pyplot = sys.modules.get("matplotlib.pyplot")
    return (pyplot.figure if pyplot else Figure)(figsize=size, layout="constrained")


def _finish(figure, path):
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
