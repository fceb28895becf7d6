"""Pictures with labels, boxes and masks. The masks are compared with Keras's in test_tools_golden.py."""

import numpy as np
import pytest

from dlcore import visualization
from dlcore.utils import load_img

pytest.importorskip("PIL")
RED = (255, 0, 0)


def boxes(*rows, labels=None, **more):
    rows = np.array(rows, "float32")
    return {"boxes": rows, "labels": np.zeros(rows.shape[:2], int) if labels is None else labels, **more}


def test_bounding_boxes():
    images = np.zeros((2, 20, 30, 3), "float32")
    drawn = visualization.draw_bounding_boxes(
        images, boxes([[2, 3, 12, 10]], [[0.1, 0.2, 0.5, 0.6]]), "xyxy", color=RED, line_thickness=1
    )
    frame = np.zeros((20, 30), bool)
    frame[[3, 10], 2:13] = frame[3:11, 2] = frame[3:11, 12] = True
    assert drawn.dtype == np.uint8 and (drawn[0] == np.where(frame[..., None], RED, 0)).all()
    relative = visualization.draw_bounding_boxes(
        images + 1.0, boxes([[0.1, 0.2, 0.5, 0.6]], [[0, 0, 1, 1]], labels=np.array([[0], [-1]])), "rel_xyxy", color=RED
    )
    assert (relative[0, 4, 3:16] == RED).all() and (relative[1] == 255).all()


def test_names_of_classes():
    images = np.zeros((1, 40, 120, 3), "uint8")
    plain = visualization.draw_bounding_boxes(images, boxes([[5, 25, 60, 35]]), "xyxy")
    named = visualization.draw_bounding_boxes(
        images, boxes([[5, 25, 60, 35]], confidences=[[0.75]]), "xyxy", class_mapping={0: "cat"}, color=RED
    )
    assert not plain[0, :24].any() and named[0, :24].any() and not named[0, :24, :, 1:].any()
    below = visualization.draw_bounding_boxes(images, boxes([[5, 2, 60, 35]]), "xyxy", class_mapping={0: "cat"})
    assert below[0, 6:30, 10:50].any()


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: visualization.draw_bounding_boxes(np.zeros((4, 4, 3)), boxes([[0, 0, 1, 1]]), "xyxy"),
            ValueError,
            "batch",
        ),
        (
            lambda: visualization.draw_bounding_boxes(np.zeros((1, 4, 4, 3)), [], "xyxy"),
            ValueError,
            '"boxes" and "labels"',
        ),
        (
            lambda: visualization.draw_segmentation_masks(np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 1))),
            TypeError,
            "ints",
        ),
        (lambda: visualization.plot_image_gallery(np.zeros((1, 4, 4, 3)), [1]), ValueError, "label_map"),
        (lambda: visualization.plot_image_gallery(np.zeros((1, 4, 4, 3)), path="x", show=True), ValueError, "not both"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_masks_without_blending():
    images = np.full((1, 2, 2, 3), 7.0)
    drawn = visualization.draw_segmentation_masks(images, np.array([[[[0], [1]], [[-1], [1]]]]), blend=False)
    assert drawn.dtype == np.float32 and (drawn[0, 1, 0] == 7).all() and (drawn[0, 0, 1] != 7).any()


def test_image_gallery(tmp_path):
    images = np.linspace(-1, 1, 5 * 4 * 4 * 3).reshape(5, 4, 4, 3)
    figure = visualization.plot_image_gallery(
        images, y_true=[0, 1, 0, 1, 2], y_pred=np.array([[0]] * 5), label_map={0: "a", 1: "b"}, value_range=(-1, 1),
        path=tmp_path / "gallery.png",
    )  # fmt: skip
    assert [axes.get_title() for axes in figure.axes][1:] == [
        "Label: b  Pred: a", "Label: a  Pred: a", "Label: b  Pred: a", "Label: Unknown  Pred: a",
    ]  # fmt: skip
    shown = figure.axes[0].images[0].get_array()
    assert shown.min() == 0 and figure.axes[4].images[0].get_array().max() == 255
    assert load_img(tmp_path / "gallery.png").size[0] > 50


def test_galleries_of_boxes_and_masks():
    images = np.zeros((2, 3, 16, 16))
    truth, guess = boxes([[2, 2, 8, 8]], [[3, 3, 9, 9]]), boxes([[2, 2, 9, 9]], [[3, 3, 12, 12]])
    figure = visualization.plot_bounding_box_gallery(
        images, "xyxy", truth, guess, legend=True, show=False, data_format="channels_first"
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Ground Truth", "Prediction"]
    picture = figure.axes[0].images[0].get_array()
    assert (picture[5, 2] == (255, 235, 59)).all() and (picture[8, 5] == (255, 235, 59)).all()
    masks = np.ones((2, 1, 16, 16), int)
    figure = visualization.plot_segmentation_mask_gallery(
        images, 2, y_true=masks, y_pred=0 * masks, show=False, data_format="channels_first", alpha=1.0,
        color_mapping={0: RED, 1: (0, 255, 0)},
    )  # fmt: skip
    colours = [tuple(axes.images[0].get_array()[0, 0].tolist()) for axes in figure.axes]
    assert colours == [(0, 0, 0), (0, 255, 0), RED] * 2
