"""Simple pictures as PNG files without any library: learning curves and a grid of images.

`dlcore.plotting` draws nicer ones where matplotlib is installed.
"""

import struct
import zlib

import numpy as np

from dlcore.utils.files import replacing

BLACK, GREY, BLUE, ORANGE, GREEN, RED = (
    np.array(color, np.uint8)
    for color in ((0, 0, 0), (200, 200, 200), (31, 119, 180), (255, 127, 14), (0, 130, 0), (200, 0, 0))
)

# 5x7 letters: five columns each, a bit per row, the lowest bit on top.
_GLYPHS = {
    "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31", "4": "1814127f10", "5": "2745454539",
    "6": "3c4a494930", "7": "0171090503", "8": "3649494936", "9": "064949291e", "a": "2054545478", "b": "7f48444438",
    "c": "3844444420", "d": "384444487f", "e": "3854545418", "f": "087e090102", "g": "0c5252523e", "h": "7f08040478",
    "i": "00447d4000", "j": "2040443d00", "k": "7f10284400", "l": "00417f4000", "m": "7c04180478", "n": "7c08040478",
    "o": "3844444438", "p": "7c14141408", "q": "081414187c", "r": "7c08040408", "s": "4854545420", "t": "043f444020",
    "u": "3c4040207c", "v": "1c2040201c", "w": "3c4030403c", "x": "4428102844", "y": "0c5050503c", "z": "4464544c44",
    ".": "0060600000", "-": "0808080808", "_": "4040404040", "(": "001c224100", ")": "0041221c00", " ": "0000000000",
}  # fmt: skip


def paint_history(history, path):
    """Learning curves: one panel per metric, training blue and validation orange, by epoch."""
    values = getattr(history, "history", history)
    names = [name for name in values if not name.startswith("val_")]
    panels = [_panel(name, values[name], values.get(f"val_{name}")) for name in names]
    write_png(path, np.concatenate(panels, axis=1))


def _panel(name, training, validation, height=260, width=360):
    canvas = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = 60, width - 20, 40, height - 40
    curves = [(np.asarray(training, float), BLUE), (np.asarray(validation or [], float), ORANGE)]
    numbers = np.concatenate([curve for curve, _ in curves])
    numbers = numbers[np.isfinite(numbers)]
    low, high = (numbers.min(), numbers.max()) if numbers.size else (0.0, 1.0)
    high = high if high > low else low + 1
    paint_text(canvas, left, 15, name, BLACK)
    paint_text(canvas, left + 140, 15, "training", BLUE)
    if validation:
        paint_text(canvas, left + 200, 15, "validation", ORANGE)
    for row, value in ((top, high), (bottom, low)):
        paint_line(canvas, (left, row), (right, row), GREY)
        paint_text(canvas, 10, row - 4, f"{value:.4g}", BLACK)
    paint_text(canvas, left, bottom + 12, f"epochs 1 - {len(training)}", BLACK)
    for curve, color in curves:
        x = np.linspace(left, right, max(len(curve), 2))
        y = bottom - (np.nan_to_num(curve, nan=high) - low) / (high - low) * (bottom - top)
        points = list(zip(x, np.clip(y, top, bottom)))
        for start, end in zip(points, points[1:]):
            paint_line(canvas, start, end, color)
    return canvas


def paint_predictions(images, predictions, labels, path, columns=8, size=64):
    """A grid of grey images titled with the predicted class: green if it equals the label, else red with the label."""
    images = np.asarray(images, float).reshape(len(images), *np.shape(images)[1:3])
    predictions = np.asarray(predictions)
    predictions = predictions.argmax(axis=1) if predictions.ndim == 2 else predictions
    rows = -(-len(images) // columns)
    canvas = np.full((rows * (size + 26), columns * (size + 12), 3), 255, np.uint8)
    scale = images.max() or 1.0
    index = np.arange(size) * images.shape[1] // size
    for i, (image, predicted, label) in enumerate(zip(images, predictions, np.reshape(labels, -1))):
        top, left = (i // columns) * (size + 26) + 20, (i % columns) * (size + 12) + 6
        grey = (255 - 255 * image / scale).astype(np.uint8)
        canvas[top : top + size, left : left + size] = grey[index][:, index, None]
        right = predicted == label
        paint_text(
            canvas, left, top - 12, f"{predicted}" if right else f"{predicted} ({label})", GREEN if right else RED
        )
    write_png(path, canvas)


def paint_text(canvas, left, top, text, color):
    """Letters 5x7; those without a glyph are blank."""
    for i, letter in enumerate(text.lower()):
        columns = bytes.fromhex(_GLYPHS.get(letter, _GLYPHS[" "]))
        pixels = (np.array(list(columns))[None, :] >> np.arange(7)[:, None]) & 1
        area = canvas[top : top + 7, left + 6 * i : left + 6 * i + 5]
        area[pixels[: area.shape[0], : area.shape[1]] == 1] = color


def paint_line(canvas, start, end, color):
    """A line two pixels thick; points are (x, y)."""
    count = int(max(abs(end[0] - start[0]), abs(end[1] - start[1]))) + 2
    x = np.linspace(start[0], end[0], count).astype(int)
    y = np.linspace(start[1], end[1], count).astype(int)
    for offset in (0, 1):
        canvas[np.clip(y + offset, 0, len(canvas) - 1), x] = color


def write_png(path, pixels):
    """Writes an array (height, width, 3) of uint8 as a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # 0: no row filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with replacing(path) as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")):
            checksum = zlib.crc32(kind + content)
            file.write(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum))
