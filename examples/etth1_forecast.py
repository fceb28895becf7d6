"""20. A forecast of a power transformer's oil temperature a day ahead from a week of hourly measurements (ETTh1)."""

import gzip
import os
from pathlib import Path

import numpy as np

import dlcore as keras
from dlcore import layers

PAST, AHEAD = 168, 24  # hours
MONTH = 30 * 24


def measurements():
    """float32 (hours, 7): six loads and, last, the oil temperature in degrees Celsius."""
    path = Path(os.environ.get("DLCORE_DATASETS", "~/.dlcore/datasets")).expanduser() / "ETTh1.csv.gz"
    if not path.exists():
        raise FileNotFoundError(
            f"There is no {path}. Get ETTh1.csv from https://github.com/zhouhaoyi/ETDataset, gzip it and put it there, "
            "or name its folder in the environment variable DLCORE_DATASETS."
        )
    with gzip.open(path, "rt") as file:
        return np.loadtxt(file, "float32", delimiter=",", skiprows=1, usecols=range(1, 8))


def main(epochs=10, units=32, months=(12, 4, 4)):
    series = measurements()
    hours = np.arange(len(series)) * (2 * np.pi / 24)
    ends = np.cumsum(months) * MONTH  # of training, validation and test
    mean, spread = series[: ends[0]].mean(axis=0), series[: ends[0]].std(axis=0)
    inputs = (series - mean) / spread
    oil = inputs[:, -1]
    inputs = np.column_stack([inputs, np.sin(hours), np.cos(hours)]).astype("float32")
    # What is learnt is the change from the last hour seen to AHEAD hours later: persistence says 0.
    start = np.arange(len(series) - PAST - AHEAD + 1)
    change = oil[start + PAST - 1 + AHEAD] - oil[start + PAST - 1]

    def windows(first, last, **options):
        return keras.utils.timeseries_dataset_from_array(
            inputs, change, PAST, start_index=first, end_index=last - AHEAD, batch_size=64, **options
        )

    train = windows(0, ends[0], shuffle=True, seed=1)
    validation, test = windows(ends[0] - PAST, ends[1]), windows(ends[1] - PAST, ends[2])

    model = keras.Sequential(
        [
            keras.Input((PAST, inputs.shape[1])),
            layers.Conv1D(units, 5, strides=2, activation="relu"),
            layers.Conv1D(units, 5, strides=2, activation="relu"),
            layers.LSTM(units),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.summary()
    model.compile(optimizer="adam", loss="huber", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping(monitor="val_mae", patience=3, restore_best_weights=True)
    model.fit(train, epochs=epochs, validation_data=validation, callbacks=[stop])

    truth = np.concatenate([y for _, y in test])
    return float(model.evaluate(test)[1] * spread[-1]), float(np.abs(truth).mean() * spread[-1])


if __name__ == "__main__":
    print("test MAE {:.3f} degrees, persistence {:.3f} degrees".format(*main()))
