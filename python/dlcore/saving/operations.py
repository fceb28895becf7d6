"""Calls of ops functions as Keras's files hold them.

There, an ops function is an object of a class such as `Pad`. It is made with some of the function's arguments, such as
`pad_width`, and called with the others, such as `x`.
"""

import functools
import inspect

from dlcore import ops, tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.names import to_camel_case

# Keras's module and class where these are not the namespace and the name of the function, in camel case.
_CLASSES = {
    "allclose": "numpy.AllClose",
    "batch_normalization": "nn.BatchNorm",
    "cdist": "math.CDist",
    "ctc_decode": "nn.CTCDecode",
    "ctc_loss": "nn.CTCLoss",
    "extract_patches_3d": "image.ExtractPatches",
    "fft": "math.FFT",
    "fft2": "math.FFT2",
    "hsv_to_rgb": "image.HSVToRGB",
    "ifft2": "math.IFFT2",
    "irfft": "math.IRFFT",
    "isin": "numpy.IsIn",
    "istft": "math.ISTFT",
    "layer_normalization": "nn.LayerNorm",
    "logdet": "math.Logdet",
    "psnr": "nn.PSNR",
    "rfft": "math.RFFT",
    "rgb_to_grayscale": "image.RGBToGrayscale",
    "rgb_to_hsv": "image.RGBToHSV",
    "rms_normalization": "nn.RMSNorm",
    "searchsorted": "numpy.SearchSorted",
    "ssim": "image.SSIM",
    "stft": "math.STFT",
    "svd": "linalg.SVD",
}

# Arguments with which an operation is called; it is made with the others.
_OF_CALL = set(
    "a abs_ angle array b beta bias branches choicelist condition condlist constant_values coordinates data default "
    "depthwise_kernel elems elements end_points f false_fn gamma image1 image2 images index indices init init_val "
    "inputs kernel key loop_vars mask mean operands output output_length output_shape pattern pointwise_kernel pred "
    "predictions primals q query scale segment_ids sequence_lengths sorted_sequence start start_indices start_points "
    "step stop tangents target target_length targets tensor transform translation true_fn updates value values "
    "variable variance volumes x x1 x2 xs y".split()
)
# Functions for which it is others.
_OF_CALL_OF = {
    "average": {"x", "weights"},
    "batch_normalization": {"x", "mean", "variance", "offset", "scale"},
    "digitize": {"x", "bins"},
    "full": {"fill_value"},
    "full_like": {"x", "fill_value"},
    "isclose": {"x1", "x2", "rtol", "atol"},
    "squareplus": {"x"},
    "trapezoid": {"y"},
}


def class_of(function):
    """(Keras's module, class name) of an ops function."""
    name = function.__name__
    if name in _CLASSES:
        module, class_name = _CLASSES[name].split(".")
    else:
        modules = ("numpy", "nn", "linalg", "image", "core", "einops")
        module = next((m for m in modules if name in getattr(ops, m).__all__), "math")
        class_name = to_camel_case(name)
    return f"keras.src.ops.{module}", class_name


@functools.cache
def _functions():
    """{class name in lower case: function}; that of earlier versions, the function's in camel case, is one too."""
    functions = {
        name.replace("_", "").lower(): getattr(namespace, name)
        for namespace in (ops, ops.image)
        for name in namespace.__all__
        if inspect.isfunction(getattr(namespace, name))
    }
    named = {name.split(".")[1].lower(): functions[function.replace("_", "")] for function, name in _CLASSES.items()}
    return {**named, **functions}


def function_of(class_name):
    """The ops function of a class of Keras's."""
    function = _functions().get(class_name.lower())
    if function is None:
        raise ValueError(f"The configuration names the operation {class_name!r}, which dlcore.ops does not have.")
    return function


def _is_of_call(function, name):
    return name in _OF_CALL_OF.get(function.__name__, _OF_CALL)


def split(function, args, kwargs):
    """(what the operation is made with, args, kwargs of its call) for function(*args, **kwargs).

    Tensors of the model are always of the call. Keras's operations take all arguments of the call, also where they are
    the default.
    """
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    given = set(bound.arguments)
    bound.apply_defaults()
    made_with, positional, named = {}, [], {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named.update(value)
        elif _is_of_call(function, name):
            positional.append(value)
        elif any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(value)):
            named[name] = value
        elif name in given:
            made_with[name] = value
    return made_with, positional, named


def joined(function, made_with, args, kwargs):
    """(args, kwargs) for the function: the inverse of `split`.

    Earlier versions made operations with all that holds no tensor of the model, so `args` are what `made_with` leaves
    of the arguments of the call, then of the others.
    """
    signature = inspect.signature(function)
    given = {**made_with, **kwargs}
    left = [p for name, p in signature.parameters.items() if name not in given and p.kind is not p.VAR_KEYWORD]
    args = list(args)
    for parameter in sorted(left, key=lambda p: not _is_of_call(function, p.name)):
        if parameter.kind is parameter.VAR_POSITIONAL:
            listed = len(args) == 1 and isinstance(args[0], list)  # in files of earlier versions
            given[parameter.name], args = tuple(args[0] if listed else args), []
        elif args:
            given[parameter.name] = args.pop(0)
    bound = inspect.BoundArguments(signature, given)
    others = {name: value for name, value in given.items() if name not in signature.parameters}
    return [*bound.args, *args], {**bound.kwargs, **others}
