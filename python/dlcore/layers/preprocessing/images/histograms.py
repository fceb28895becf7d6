"""Layers that even out how often each colour occurs."""

from dlcore import _core, backend, ops
from dlcore.backend.arguments import int_tuple, positive_int
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, colour_range


def _counts(rows, bins):
    """How often each integer in [0, bins) occurs in each row: int32 (rows, n) to float32 (rows, bins)."""
    like = _core.apply("broadcast_to", [ops.zeros_like(rows[:, :1], dtype="float32")], shape=[-1, bins])
    ones = ops.ones_like(rows, dtype="float32")
    return _core.apply("scatter_along", [like, rows, ones], axis=-1, mode="fill")


class Equalization(ImageLayer):
    """In training replaces each colour by the part of the pixels that are darker, channel by channel.

    The pixels of a batch are counted together.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.
        bins: int, default 256: how many colours are told apart.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> Equalization()(np.array([[[100.0], [101.0], [102.0]]])).numpy().ravel()
    array([  0., 128., 255.], dtype=float32)
    """

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = colour_range("Equalization", value_range)
        self.bins = positive_int("Equalization", "bins", bins)

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        x = ops.cast(self._rescaled(images, self.value_range, (0, 255)), "float32")
        moved = ops.moveaxis(x, self.channel_axis, 0)
        rows = ops.reshape(moved, [moved.shape[0], -1])
        places = ops.cast(ops.clip(rows * (self.bins - 1) / 255.0, 0, self.bins - 1), "int32")
        counts = _counts(places, self.bins)
        darker = ops.cumsum(counts, axis=-1)
        # The first bin that holds a pixel becomes 0, the last 255.
        least = ops.min(ops.where(ops.greater(darker, 0), darker, float("inf")), axis=-1, keepdims=True)
        pixels = darker[:, -1:] - least
        table = ops.round((darker - least) * 255.0 / ops.where(ops.equal(pixels, 0), 1.0, pixels))
        even = ops.take_along_axis(ops.clip(table, 0, 255), places, axis=-1)
        plain = ops.less_equal(ops.sum(ops.greater(counts, 0), axis=-1, keepdims=True), 1)
        even = ops.reshape(ops.where(plain, rows, even), [-1 if n is None else n for n in moved.shape])
        return ops.cast(
            self._rescaled(ops.moveaxis(even, 0, self.channel_axis), (0, 255), self.value_range), self.compute_dtype
        )

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "value_range": self.value_range}


class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Evens out the brightness of each channel within the tiles of a grid, and blends between tiles.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.
        clip_limit: float, default 4.0: no colour counts more often than so many times the mean; what is cut off is
            spread over all colours. 0: no limit.
        tile_grid_size: (rows, columns), default (8, 8).
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Reference: Zuiderveld 1994.

    Example:

    >>> ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(self, value_range=(0, 255), clip_limit=4.0, tile_grid_size=(8, 8), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.value_range = colour_range(kind, value_range)
        self.clip_limit = clip_limit
        self.tile_grid_size = int_tuple(kind, "tile_grid_size", tile_grid_size, 2)

    def transform_images(self, images, transformation=None, training=True):
        x = ops.cast(images, "float32")
        x = x if self.data_format == "channels_last" else ops.moveaxis(x, 1, -1)
        y = self._equalized(self._rescaled(x, self.value_range, (0, 255)))
        y = self._rescaled(y, (0, 255), self.value_range)
        y = y if self.data_format == "channels_last" else ops.moveaxis(y, -1, 1)
        return ops.cast(y, images.dtype if backend.is_int_dtype(images.dtype) else self.compute_dtype)

    def _equalized(self, x):
        """(batch, height, width, channels) in [0, 255]."""
        height, width, channels = x.shape[1:]
        if height is None or width is None:
            raise ValueError(f"{self._label()}: height and width of the images must be known. Got shape {x.shape}.")
        rows, columns = self.tile_grid_size
        tile_height, tile_width = -(-height // rows), -(-width // columns)
        x = ops.pad(
            x,
            [(0, 0), (0, rows * tile_height - height), (0, columns * tile_width - width), (0, 0)],
            mode="symmetric",
        )
        pixels = ops.cast(ops.clip(x, 0, 255), "int32")
        table = self._tables(pixels, tile_height, tile_width)
        # Each pixel lies between four middles of tiles; beyond the outermost ones the border's tiles go on.
        down = self._neighbours(rows, tile_height)
        right = self._neighbours(columns, tile_width)
        total = None
        for row, row_weight in down:
            for column, column_weight in right:
                tile = ops.expand_dims(row, 1) * columns + column  # [H, W]
                place = (ops.expand_dims(tile, -1) * channels + ops.arange(channels, dtype="int32")) * 256
                value = self._looked_up(table, pixels + place)
                weight = ops.reshape(row_weight, [-1, 1, 1]) * ops.reshape(column_weight, [1, -1, 1])
                total = value * weight if total is None else total + value * weight
        return total[:, :height, :width]

    def _tables(self, pixels, tile_height, tile_width):
        """What each colour becomes in each tile: (batch, rows * columns * channels * 256)."""
        rows, columns = self.tile_grid_size
        channels = pixels.shape[-1]
        tiles = ops.reshape(pixels, [-1, rows, tile_height, columns, tile_width, channels])
        tiles = ops.reshape(ops.transpose(tiles, [0, 1, 3, 5, 2, 4]), [-1, tile_height * tile_width])
        counts = _counts(tiles, 256)
        size = tile_height * tile_width
        if self.clip_limit > 0:
            kept = ops.minimum(counts, self.clip_limit * size / 256.0)
            counts = kept + ops.sum(counts - kept, axis=-1, keepdims=True) / 256.0
        darker = ops.cumsum(counts, axis=-1)
        least = ops.min(darker, axis=-1, keepdims=True)
        brighter = size - least
        table = (darker - least) * 255.0 / ops.where(ops.equal(brighter, 0), 1.0, brighter)
        return ops.reshape(ops.clip(table, 0, 255), [-1, rows * columns * channels * 256])

    def _neighbours(self, count, size):
        """Along one axis of count * size pixels: two pairs (tile int32 [n], weight [n]) for each pixel."""
        position = (ops.arange(count * size, dtype="float32") - size / 2.0) / size
        below = ops.floor(position)
        share = position - below
        tiles = [ops.cast(ops.clip(below + i, 0, count - 1), "int32") for i in (0, 1)]
        return list(zip(tiles, (1.0 - share, share)))

    def _looked_up(self, table, places):
        """table[n, places[n, ...]]: (batch, entries) and (batch, H, W, C)."""
        flat = ops.reshape(places, [-1, places.shape[1] * places.shape[2] * places.shape[3]])
        return ops.reshape(ops.take_along_axis(table, flat, axis=-1), [-1, *places.shape[1:]])

    def get_config(self):
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "clip_limit": self.clip_limit,
            "tile_grid_size": self.tile_grid_size,
        }
