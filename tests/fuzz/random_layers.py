"""Random layers with their inputs."""

from cases import Case, Pick

ACTIVATIONS = (..., "relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus", "softsign", "hard_sigmoid")
ACTIVATIONS += ("leaky_relu", "exponential", "softmax", "mish", "hard_silu", "relu6", "log_softmax", "celu")
BOOLS = (True, False)
SHAPES = ((6,), (4, 6), (3, 4, 6))


def spatial(pick: Pick, rank: int, channels: int = 0) -> tuple[int, ...]:
    return (*pick.sizes(6, 11, rank), channels or pick.choice((1, 2, 3, 4, 6)))


def window(pick: Pick, rank: int) -> str:
    """Sizes of a filter with strides or dilation."""
    arguments = f"{pick.sizes(1, 4, rank)}"
    kind = pick.randrange(3)
    if kind == 1:
        arguments += f", strides={pick.randint(1, 3)}"
    elif kind == 2:
        arguments += f", dilation_rate={pick.randint(1, 3)}"
    return arguments


def dense(pick: Pick):
    return f"Dense({pick.randint(1, 9)}{pick.some(activation=ACTIVATIONS, use_bias=BOOLS)})", pick.choice(SHAPES)


def einsum_dense(pick: Pick):
    equation, shape, axes = pick.choice(
        (("abc,cd->abd", (4, 4), "d"), ("abc,cde->abde", (4, 3, 4), "de"), ("abc,bc->ab", (4,), "b"))
    )
    return f"EinsumDense({equation!r}, {shape}{pick.some(bias_axes=(..., axes), activation=ACTIVATIONS)})", (4, 6)


def convolution(pick: Pick):
    rank, groups = pick.randint(1, 3), pick.choice((1, 1, 2, 4))
    paddings = ("valid", "same") + (("causal",) if rank == 1 else ())
    options = pick.some(padding=paddings, activation=ACTIVATIONS, use_bias=BOOLS)
    return f"Conv{rank}D({pick.choice((4, 8))}, {window(pick, rank)}, groups={groups}{options})", spatial(
        pick, rank, 4 if groups > 1 else 0
    )


def depthwise(pick: Pick):
    rank = pick.randint(1, 2)
    name = pick.choice((f"DepthwiseConv{rank}D(", f"SeparableConv{rank}D({pick.randint(1, 5)}, "))
    sizes = window(pick, rank) if rank > 1 else str(pick.randint(1, 4)) + pick.some(strides=(..., 2))
    options = pick.some(padding=("valid", "same"), depth_multiplier=(1, 2, 3), activation=ACTIVATIONS, use_bias=BOOLS)
    return f"{name}{sizes}{options})", spatial(pick, rank)


def transposed(pick: Pick):
    rank = pick.randint(1, 3)
    options = pick.some(strides=(..., 1, 2, 3), padding=("valid", "same"), activation=ACTIVATIONS, use_bias=BOOLS)
    sizes = pick.sizes(1, 4, rank)
    return f"Conv{rank}DTranspose({pick.randint(1, 4)}, {sizes}{options})", (
        *pick.sizes(3, 6, rank),
        pick.randint(1, 4),
    )


def pooling(pick: Pick):
    rank, kind = pick.randint(1, 3), pick.choice(("Max", "Average"))
    if pick.random() < 0.3:
        return f"Global{kind}Pooling{rank}D(keepdims={pick.choice(BOOLS)})", spatial(pick, rank)
    options = pick.some(strides=(..., 1, 2, 3), padding=("valid", "same"))
    return f"{kind}Pooling{rank}D({pick.randint(1, 3)}{options})", spatial(pick, rank)


def adaptive_pooling(pick: Pick):
    rank = pick.randint(1, 3)
    return f"Adaptive{pick.choice(('Max', 'Average'))}Pooling{rank}D({pick.randint(2, 5)})", spatial(pick, rank)


def normalization(pick: Pick):
    shape = pick.choice(SHAPES)
    axes = (-1, 1, list(range(1, len(shape) + 1)))
    return (
        pick.choice(
            (
                f"BatchNormalization(axis={pick.choice((-1, 1))}{pick.some(center=BOOLS, scale=BOOLS)}, momentum=0.9)",
                f"LayerNormalization(axis={pick.choice(axes)}{pick.some(center=BOOLS, scale=BOOLS)})",
                f"GroupNormalization(groups={pick.choice((-1, 1, 2, 3))}, axis=-1{pick.some(center=BOOLS)})",
                f"UnitNormalization(axis={pick.choice((-1, 1))})",
                "RMSNormalization()",
            )
        ),
        shape,
    )


def recurrent(pick: Pick):
    kind, both_ways = pick.choice(("LSTM", "GRU", "SimpleRNN")), pick.random() < 0.3
    options = pick.some(
        activation=(..., "relu", "softsign", "sigmoid"),
        use_bias=BOOLS,
        return_sequences=BOOLS,
        go_backwards=(...,) if both_ways else (..., True),
        unroll=(..., True),
        implementation=(..., 1) if kind != "SimpleRNN" else (...,),
        recurrent_activation=(..., "hard_sigmoid", "tanh") if kind != "SimpleRNN" else (...,),
        reset_after=BOOLS if kind == "GRU" else (...,),
        unit_forget_bias=BOOLS if kind == "LSTM" else (...,),
    )
    code = f"{kind}({pick.randint(1, 7)}{options}"
    if both_ways:
        return f"Bidirectional(K.layers.{code}){pick.some(merge_mode=('concat', 'sum', 'mul', 'ave', None))})", (
            pick.randint(1, 6),
            pick.randint(1, 5),
        )
    return f"{code}{pick.some(return_state=(..., ..., True))})", (pick.randint(1, 6), pick.randint(1, 5))


def recurrent_convolution(pick: Pick):
    rank = pick.randint(1, 2)
    options = pick.some(padding=("valid", "same"), return_sequences=BOOLS, use_bias=BOOLS, go_backwards=(..., True))
    return f"ConvLSTM{rank}D({pick.randint(1, 3)}, {pick.randint(1, 3)}{options})", (3, *pick.sizes(4, 6, rank), 2)


def embedding(pick: Pick):
    return f"Embedding(11, {pick.randint(1, 6)}{pick.some(mask_zero=BOOLS)})", ("int32", *pick.choice(((4,), (3, 5))))


def attention(pick: Pick):
    return pick.choice(
        (
            f"Attention(use_scale={pick.choice(BOOLS)}{pick.some(score_mode=('dot', 'concat'))})",
            f"AdditiveAttention(use_scale={pick.choice(BOOLS)})",
        )
    ), [(4, 6), (5, 6)]


def merging(pick: Pick):
    name = pick.choice(
        ("Add()", "Subtract()", "Multiply()", "Average()", "Maximum()", "Minimum()")
        + (f"Concatenate(axis={pick.choice((1, 2, -1))})",)
        + (f"Dot(axes={pick.choice((1, 2))}, normalize={pick.choice(BOOLS)})",)
    )
    broadcast = name.split("(")[0] not in ("Concatenate", "Dot", "Subtract") and pick.random() < 0.3
    return name, [(3, 4), (1, 4) if broadcast else (3, 4)]


def activation(pick: Pick):
    return pick.choice(
        (
            f"Activation({pick.choice(ACTIVATIONS[1:])!r})",
            f"PReLU(shared_axes={pick.choice((None, [1]))})",
            f"LeakyReLU({pick.choice((0.1, 0.3))})",
            f"ELU({pick.choice((0.5, 1.0))})",
            f"ReLU(max_value={pick.choice((None, 1.0))}, negative_slope={pick.choice((0.0, 0.1))}, threshold=0.25)",
            f"Softmax(axis={pick.choice((-1, 1))})",
        )
    ), (3, 4)


def reshaping(pick: Pick):
    two, one = spatial(pick, 2), spatial(pick, 1)
    modes = ("nearest", "bilinear", "bicubic")
    return pick.choice(
        (
            ("Flatten()", (3, 4, 2)),
            ("Reshape((-1, 2))", (3, 4, 2)),
            (f"Permute({pick.choice(((2, 1, 3), (3, 1, 2), (2, 3, 1)))})", (3, 4, 2)),
            (f"RepeatVector({pick.randint(1, 4)})", (5,)),
            (f"ZeroPadding2D(({pick.sizes(0, 3, 2)}, {pick.sizes(0, 3, 2)}))", two),
            (f"ZeroPadding1D({pick.sizes(0, 3, 2)})", one),
            (f"Cropping2D(({pick.sizes(0, 2, 2)}, {pick.sizes(0, 2, 2)}))", two),
            (f"Cropping1D({pick.sizes(0, 2, 2)})", one),
            (f"UpSampling2D({pick.sizes(1, 3, 2)}, interpolation={pick.choice(modes)!r})", two),
            (f"UpSampling1D({pick.randint(1, 3)})", one),
            (f"UpSampling3D({pick.sizes(1, 3, 3)})", spatial(pick, 3)),
            (f"Masking({pick.choice((0.0, 0.5))})", (3, 4)),
        )
    )


def preprocessing(pick: Pick):
    modes = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    return pick.choice(
        (
            ("Rescaling(0.5, -1.0)", (3, 4)),
            ("Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0])", (4, 2)),
            ("Discretization(bin_boundaries=[-1.0, 0.0, 0.5])", (4,)),
            (f"CenterCrop({pick.randint(2, 6)}, {pick.randint(2, 6)})", spatial(pick, 2, 3)),
            (
                f"Resizing({pick.randint(3, 14)}, {pick.randint(3, 14)}, interpolation={pick.choice(modes)!r}"
                f"{pick.some(antialias=BOOLS, crop_to_aspect_ratio=BOOLS)})",
                spatial(pick, 2, 3),
            ),
            (
                f"CategoryEncoding(6{pick.some(output_mode=('multi_hot', 'one_hot', 'count'))})",
                ("int32", pick.randint(1, 4)),
            ),
        )
    )


def wrapping(pick: Pick):
    inner = pick.choice((f"Dense(3{pick.some(activation=ACTIVATIONS)})", "LayerNormalization()", "LSTM(2)"))
    shape = (3, 4, 5) if inner == "LSTM(2)" else (3, 4)
    return pick.choice(
        ((f"TimeDistributed(K.layers.{inner})", shape), ("SpectralNormalization(K.layers.Dense(3))", (5,)))
    )


KINDS = (
    *(dense, einsum_dense, convolution, convolution, depthwise, transposed, pooling, adaptive_pooling, normalization),
    *(recurrent, recurrent, recurrent_convolution, embedding, attention, merging, activation, reshaping),
    *(preprocessing, wrapping),
)


def layer(pick: Pick) -> Case:
    code, shapes = pick.choice(KINDS)(pick)
    batch = pick.randint(1, 4)
    arrays = {}
    for name, shape in zip("ab", shapes if isinstance(shapes, list) else [shapes]):
        dtype, shape = ("int32", shape[1:]) if shape[0] == "int32" else ("float32", shape)
        arrays[name] = pick.array((batch, *shape), dtype, 0 if dtype == "int32" else -3, 5)
    return Case("layer", f"K.layers.{code}", arrays)
