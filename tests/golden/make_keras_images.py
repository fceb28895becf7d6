"""Writes keras_images.npz: what Keras draws for image_cases.py and what it makes of images, masks and labels.

Run with Keras 3.15 on TensorFlow: python tests/golden/make_keras_images.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import random

import keras
import numpy as np
import tensorflow as tf
from image_cases import BOXED, BOXES, CASES, IMAGES, LABELS, MASKS, MIXING, MOVING

golden = {}


def put(name, value):
    """Stores a tensor, or all tensors of a structure."""
    if isinstance(value, dict):
        for key, item in value.items():
            put(f"{name}/{key}", item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            put(f"{name}/{i}", item)
    elif isinstance(value, str):
        golden[name] = np.array(value)
    elif tf.is_tensor(value):
        golden[name] = value.numpy()


for name, (make, images) in CASES.items():
    random.seed(1)  # AugMix chooses with Python's generator
    layer = make(keras.layers)
    images = tf.constant(images)
    drawn = layer.get_random_transformation(images, training=True)
    stored = {"should_apply": drawn} if tf.is_tensor(drawn) else drawn
    put(f"{name}/drawn", dict(zip(("top", "left"), drawn)) if name.startswith("random_crop") else stored)
    put(f"{name}/y", layer.transform_images(images, drawn, training=True))
    if name.startswith(MIXING):
        put(f"{name}/labels", layer.transform_labels(tf.constant(LABELS), drawn, training=True))
    if name.startswith(MOVING) and layer.data_format == "channels_last":
        put(f"{name}/masks", layer.transform_segmentation_masks(tf.constant(MASKS), drawn, training=True))
for name, make in BOXES.items():
    layer = make(keras.layers)
    drawn = layer.get_random_transformation(tf.constant(IMAGES), training=True)
    put(f"{name}/boxes/drawn", drawn)
    given = {key: tf.constant(value) for key, value in BOXED.items()}
    put(f"{name}/boxes", layer.transform_bounding_boxes(given, drawn, training=True))
np.savez_compressed(os.path.join(os.path.dirname(__file__), "keras_images.npz"), **golden)
