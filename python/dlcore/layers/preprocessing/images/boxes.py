from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.layers.preprocessing.images.image_layer import ImageLayer


class MaxNumBoundingBoxes(ImageLayer):
    """Gives all images the same number of bounding boxes: the first ones, filled up.

    Args:
        max_number: int > 0.
        fill_value: int, default -1: the coordinates and labels of what is filled up.
        bounding_box_format: the format of the boxes, which stay as they are.

    The call takes a dict with `"images"` and `"bounding_boxes"`, a dict of `"boxes"` (batch, boxes, 4) and `"labels"`
    (batch, boxes).

    Example:

    >>> layer = MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    >>> boxes = {"boxes": np.zeros((2, 1, 4)), "labels": np.zeros((2, 1))}
    >>> layer({"images": np.ones((2, 8, 8, 3)), "bounding_boxes": boxes})["bounding_boxes"]["boxes"].shape
    (2, 3, 4)
    """

    def __init__(self, max_number, fill_value=-1, **kwargs):
        super().__init__(**kwargs)
        self.max_number = positive_int("MaxNumBoundingBoxes", "max_number", max_number)
        self.fill_value = int(fill_value)

    def transform_images(self, images, transformation=None, training=True):
        return images

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        result = dict(bounding_boxes)
        for name in ("boxes", "labels"):
            value = bounding_boxes[name][:, : self.max_number]
            missing = self.max_number - value.shape[1]
            borders = [(0, 0), (0, missing), *([(0, 0)] * (value.ndim - 2))]
            result[name] = ops.pad(value, borders, constant_values=self.fill_value)
        return result

    def get_config(self):
        return {**super().get_config(), "max_number": self.max_number, "fill_value": self.fill_value}
