"""Calls of Keras's helpers whose results make_keras_tools.py stores and test_tools_golden.py compares.

Each case is a function of the package, Keras or dlcore, that returns arrays or tensors.
"""

import pathlib
import tempfile

import numpy as np

RNG = np.random.default_rng(3)
IMAGE = RNG.integers(0, 256, (13, 17, 3)).astype("float32")
BOXES = np.array([[2, 3, 30, 18], [0, 0, 64, 48], [40.5, 20.25, 41, 47], [-5, 10, 70, 60]], "float32")
OTHERS = np.array([[2, 3, 30, 18], [10, 5, 50, 20], [-1, -1, -1, -1]], "float32")
FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh")
SIZE = {"height": 48, "width": 64}

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


for _source in FORMATS:
    for _target in ("xyxy", "rel_xywh", "center_yxhw") if _source != "xyxy" else FORMATS:
        CASES[f"boxes_{_source}_to_{_target}"] = lambda k, s=_source, t=_target: k.utils.bounding_boxes.convert_format(
            BOXES / (64 if s.startswith("rel") else 1), s, t, **SIZE
        )


@case
def boxes_clip(k):
    clipped = k.utils.bounding_boxes.clip_to_image_size(
        {"boxes": k.ops.convert_to_tensor(BOXES - 20), "labels": k.ops.convert_to_tensor([1, 2, 3, 4])}, **SIZE
    )
    return clipped["boxes"], clipped["labels"]


@case
def boxes_crop(k):
    return k.utils.bounding_boxes.crop(BOXES, 5, 10, 20, 30)


@case
def boxes_pad(k):
    return k.utils.bounding_boxes.pad(BOXES, 5, 10)


@case
def boxes_affine(k):
    arguments = [np.array(v, "float32") for v in ([30, -10], [0.1, 0], [0, -0.2], [1.2, 0.9], [10, 0], [0, -5])]
    boxes = k.ops.convert_to_tensor(np.stack([BOXES, BOXES[::-1] + 1]))
    return k.utils.bounding_boxes.affine_transform(boxes, *map(k.ops.convert_to_tensor, arguments), 48, 64)


@case
def boxes_iou(k):
    return k.utils.bounding_boxes.compute_iou(BOXES, OTHERS, "xyxy")


@case
def boxes_iou_masked_batch(k):
    others = np.stack([OTHERS, OTHERS[::-1]])
    return k.utils.bounding_boxes.compute_iou(np.stack([BOXES, BOXES + 3]), others, "xyxy", True, -2)


@case
def boxes_ciou(k):
    return k.utils.bounding_boxes.compute_ciou(BOXES[:3], np.array(BOXES[:3] + [[1, 2, 6, 3]], "float32"), "xyxy")


@case
def boxes_encode(k):
    encode = k.utils.bounding_boxes.encode_box_to_deltas
    return encode(BOXES, BOXES[::-1] + 1, "xyxy", "xywh", variance=[0.1, 0.1, 0.2, 0.2]), encode(
        BOXES, BOXES + 1, "xyxy", "xyxy", encoding_format="center_xywh"
    )


@case
def boxes_decode(k):
    deltas = np.array([[0.1, 0.2, -0.1, 0.3]] * 4, "float32")
    return k.utils.bounding_boxes.decode_deltas_to_boxes(
        BOXES, deltas, "xyxy", "rel_xyxy", variance=[0.5, 1.0, 0.2, 2.0], image_shape=(48, 64, 3)
    )


@case
def image_array_to_img(k):
    grey = IMAGE[..., :1]
    made = [k.utils.array_to_img(x, scale=s) for x in (IMAGE / 300, grey, grey * 3) for s in (True, False)]
    return [np.array(image) for image in made]


@case
def image_array_channels_first(k):
    image = k.utils.array_to_img(IMAGE.transpose(2, 0, 1), data_format="channels_first", scale=False)
    return k.utils.img_to_array(image, data_format="channels_first"), k.utils.img_to_array(image, dtype="uint8")


@case
def image_load(k):
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "image.png"
        k.utils.save_img(path, IMAGE, scale=False)
        for mode in ("rgb", "rgba", "grayscale"):
            results.append(np.array(k.utils.load_img(path, color_mode=mode)))
        for interpolation in ("nearest", "bilinear", "lanczos"):
            for keep in (False, True):
                image = k.utils.load_img(path, target_size=(8, 20), interpolation=interpolation, keep_aspect_ratio=keep)
                results.append(k.utils.img_to_array(image))
    return results


@case
def image_smart_resize(k):
    return k.preprocessing.image.smart_resize(IMAGE, (6, 12)), k.preprocessing.image.smart_resize(
        np.stack([IMAGE] * 2), (20, 20), interpolation="nearest"
    )


def _image_files(k, folder):
    for i, name in enumerate(["a/0.png", "a/1.png", "b/2.png", "b/deep/3.png", "b/4.bmp"]):
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        k.utils.save_img(path, np.roll(IMAGE, i, 0)[: 9 + i], scale=False)


def _flat(batches):
    """The arrays of all batches, one after another."""
    return [part for batch in batches for part in (batch if isinstance(batch, tuple) else (batch,))]


def _images(k, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        _image_files(k, folder)
        return _flat(k.utils.image_dataset_from_directory(folder, shuffle=False, verbose=False, **arguments))


@case
def images_from_directory(k):
    return _images(k, batch_size=2, image_size=(8, 12))


@case
def images_cropped(k):
    return _images(k, image_size=(8, 8), crop_to_aspect_ratio=True, label_mode="binary")


@case
def images_validation(k):
    return _images(k, image_size=(8, 8), validation_split=0.4, subset="validation", label_mode="categorical")


@case
def images_without_labels(k):
    return _images(k, image_size=(8, 8), labels=None)


@case
def timeseries(k):
    data = np.arange(40).reshape(20, 2).astype("float32")
    make = k.utils.timeseries_dataset_from_array
    return (
        *_flat(make(data, data[3:, 0], 3, batch_size=4)),
        *_flat(make(data, None, 4, sequence_stride=2, sampling_rate=3, batch_size=3)),
        *_flat(make(data, data[:, 1], 2, batch_size=5, start_index=3, end_index=15)),
    )


LOGITS = [RNG.normal(size=(5, 4)).astype("float32") * 3 for _ in range(4)]


@case
def distillation_logits(k):
    teacher, student = LOGITS[:2]
    # Keras takes the softmax for the object only, not for the name "kl_divergence".
    both = k.distillation.LogitsDistillation(2.0, {"a": k.losses.KLDivergence(), "b": "mse"})
    return (
        k.distillation.LogitsDistillation(loss=k.losses.KLDivergence()).compute_loss(teacher, student),
        k.distillation.LogitsDistillation(temperature=4.0, loss="mse").compute_loss(teacher, student),
        both.compute_loss(dict(zip("ab", LOGITS[:2])), dict(zip("ab", LOGITS[2:]))),
    )


@case
def distillation_features(k):
    teacher, student = LOGITS[:2]
    several = k.distillation.FeatureDistillation(loss=["mae", None])
    return (
        k.distillation.FeatureDistillation().compute_loss(teacher, student),
        several.compute_loss(LOGITS[:2], LOGITS[2:]),
    )


def distiller(k, **arguments):
    """A distiller with fixed weights, and data for it."""

    def make(units, name):
        layers = [k.Input((3,)), k.layers.Dense(units, activation="tanh", name="hidden"), k.layers.Dense(4)]
        model = k.Sequential(layers, name=name)
        rng = np.random.default_rng(units)
        model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
        return model

    losses = [
        k.distillation.LogitsDistillation(temperature=2.0, loss=k.losses.KLDivergence()),
        k.distillation.FeatureDistillation("mse", teacher_layer_name="hidden", student_layer_name="hidden"),
    ]
    made = k.distillation.Distiller(make(6, "teacher"), make(6, "student"), losses, [1.0, 0.3], **arguments)
    made.student.set_weights([w * 0.5 for w in made.student.get_weights()])
    made.compile(k.optimizers.SGD(0.1), k.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    return made, x, (np.arange(16) % 4).astype("int32")


@case
def distiller_training(k):
    made, x, y = distiller(k, student_loss_weight=0.4)
    history = made.fit(x, y, epochs=4, batch_size=16, verbose=0).history
    names = ("student_loss", "distillation_loss", "total_loss")
    return [np.array(history[name], "float32") for name in names] + [made.predict(x, verbose=0)]


@case
def segmentation_masks(k):
    images = np.stack([IMAGE, IMAGE[::-1]])
    masks = np.random.default_rng(5).integers(-1, 3, (2, 13, 17, 1)).astype("int32")
    draw = k.visualization.draw_segmentation_masks
    return (
        draw(images, masks, num_classes=3),
        draw(images, masks, 3, {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 9, 0)}, alpha=0.5, ignore_index=1),
    )


MATRIX = np.random.default_rng(6).normal(size=(10, 7)).astype("float32")


@case
def quantize_abs_max(k):
    quantize = k.quantizers.abs_max_quantize
    return (
        *quantize(MATRIX, 0),
        *quantize(MATRIX, (0, 1), value_range=(-8, 7), epsilon=0.1),
        *k.quantizers.AbsMaxQuantizer(axis=1)(MATRIX),
    )


@case
def quantize_grouped(k):
    return k.quantizers.abs_max_quantize_grouped_with_zero_point(k.ops.convert_to_tensor(MATRIX), 4, to_numpy=True)


@case
def quantize_pack(k):
    values = np.arange(-8, 7).reshape(5, 3).astype("int8")
    packed = [k.quantizers.pack_int4(values, axis)[0] for axis in (0, -1)]
    unsigned = k.quantizers.pack_int4((values + 8).astype("uint8"), dtype="uint8")[0]
    return *packed, unsigned, k.quantizers.unpack_int4(packed[1], 3, axis=-1)


@case
def quantize_fake(k):
    fake = k.quantizers.fake_quant_with_min_max_vars
    ends = np.linspace(-2, -0.5, 7).astype("float32"), np.linspace(0.3, 2, 7).astype("float32")
    return (
        fake(MATRIX, -1.0, 1.3),
        fake(MATRIX, 0.0, 2.0, num_bits=4, narrow_range=True),
        fake(MATRIX, *ends, num_bits=5, axis=1),
    )


def quantized(k, mode, **arguments):
    """A model with integer weights, from fixed floats."""
    config = {"int8": k.quantizers.Int8QuantizationConfig, "int4": k.quantizers.Int4QuantizationConfig}[mode]
    x = inputs = k.Input((5,), dtype="int32")
    x = k.layers.Embedding(11, 8)(x)
    x = k.layers.Flatten()(x)
    x = k.layers.Dense(9, activation="relu")(x)
    model = k.Model(inputs, k.layers.Dense(3)(x))
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    model.quantize(mode, config=config(**arguments))
    return model


TOKENS = np.random.default_rng(9).integers(0, 11, (6, 5)).astype("int32")


@case
def quantized_int8(k):
    model = quantized(k, "int8")
    return model.predict(TOKENS, verbose=0), model.layers[-1].kernel_scale, model.layers[1].embeddings_scale


@case
def quantized_int8_weights_only(k):
    return quantized(k, "int8", activation_quantizer=None).predict(TOKENS, verbose=0)


@case
def quantized_int4(k):
    return quantized(k, "int4", block_size=None).predict(TOKENS, verbose=0)


@case
def quantized_int4_blocks(k):
    return quantized(k, "int4", block_size=4).predict(TOKENS, verbose=0)


TABLE = {
    "age": np.array([20.0, 35.0, 50.0, 65.0, 21.0, 36.0], "float32"),
    "rooms": np.array([1, 2, 2, 3, 1, 7], "int32"),
    "zip": np.array([12345, 54321, 11111, 12345, 99999, 1], "int32"),
    "job": np.array(["nurse", "clerk", "nurse", "judge", "clerk", "nurse"]),
    "street": np.array(["a", "b", "c", "d", "e", "f"]),
}


def feature_space(k, output_mode="concat"):
    space = k.utils.FeatureSpace
    return space(
        {
            "age": "float_normalized",
            "rooms": space.integer_categorical(output_mode="one_hot"),
            "zip": space.integer_hashed(num_bins=6),
            "job": space.string_categorical(output_mode="one_hot"),
            "street": space.string_hashed(num_bins=5, output_mode="one_hot" if output_mode == "concat" else "int"),
        },
        crosses=[("job", "rooms"), space.cross(("zip", "job"), crossing_dim=4)],
        crossing_dim=7,
        output_mode=output_mode,
    )


@case
def feature_space_concat(k):
    space = feature_space(k)
    space.adapt(TABLE)
    return space(TABLE), space({name: values[2] for name, values in TABLE.items()})


@case
def feature_space_dict(k):
    space = feature_space(k, "dict")
    space.adapt(TABLE)
    encoded = space(TABLE)
    return [encoded[name] for name in sorted(encoded)]


@case
def feature_space_bins(k):
    space = k.utils.FeatureSpace(
        {
            "age": k.utils.FeatureSpace.float_discretized(num_bins=3),
            "rooms": k.utils.FeatureSpace.float_rescaled(scale=0.5, offset=1.0),
            "zip": "float",
        }
    )
    columns = {name: TABLE[name].astype("float32") for name in ("age", "rooms", "zip")}
    space.adapt(columns)
    return space(columns)


# Names of policies, and what makes them from the package.
POLICIES = {
    "float32": lambda k: k.DTypePolicy("float32"),
    "mixed_bfloat16": lambda k: k.mixed_precision.Policy("mixed_bfloat16"),
    "mixed_float16": lambda k: k.dtype_policies.get("mixed_float16"),
    "int8_from_float32": lambda k: k.dtype_policies.QuantizedDTypePolicy("int8", "float32"),
    "int8_from_mixed_bfloat16": lambda k: k.dtype_policies.get("int8_from_mixed_bfloat16"),
    "int4/128_from_float32": lambda k: k.dtype_policies.get("int4/128_from_float32"),
    "int4_from_float32": lambda k: k.dtype_policies.get("int4_from_float32"),
    "map": lambda k: k.dtype_policies.DTypePolicyMap("mixed_float16", {"a/.*": k.DTypePolicy("float32")}),
}


def policy_facts(k):
    """What a policy says of itself, as plain values."""
    facts = {}
    for name, make in POLICIES.items():
        policy = make(k)
        config = k.dtype_policies.serialize(policy)
        assert k.dtype_policies.deserialize(config).name == policy.name
        facts[name] = [policy.name, policy.compute_dtype, policy.variable_dtype, policy.quantization_mode, config]
    return facts
