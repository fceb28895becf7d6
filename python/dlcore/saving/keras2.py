"""Configurations in .h5 files, many of them of Keras 2, in the form of Keras 3's .keras files."""

from dlcore import ops
from dlcore.backend import to_snake_case

# Arguments that Keras 3 dropped, whatever their value.
_DROPPED = ("implementation", "time_major", "input_length", "jit_compile", "is_legacy_optimizer")


def modernize(config):
    """The configuration of a model in the form of Keras 3; what has that form already stays as it is."""
    if isinstance(config, list):
        return [modernize(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: modernize(value) for key, value in config.items()}
    if config.get("class_name") == "MeanMetricWrapper":
        return _metric_name(config["config"])
    if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict):
        config["class_name"] = config["class_name"].removeprefix("Custom>")
        if "inbound_nodes" in config and "module" not in config and _is_operation(config):
            config["module"] = "keras.src.ops.numpy"
        config["config"] = _arguments(config["class_name"], config["config"])
    return config


def _is_operation(config):
    """Whether a node of a model is a function of ops, such as the NotEqual that makes a mask, and no layer."""
    is_layer = "trainable" in config["config"] or config["class_name"] == "InputLayer"
    return not is_layer and to_snake_case(config["class_name"]) in ops.__all__


def _metric_name(config):
    """Metrics given by name or function: "accuracy" stays so, compile finds out which one."""
    return config["name"] if config.get("name") in ("accuracy", "acc") else config.get("fn", config.get("name"))


def _arguments(class_name, arguments):
    arguments = {key: value for key, value in arguments.items() if key not in _DROPPED}
    if class_name == "InputLayer" and "batch_input_shape" in arguments:
        arguments["batch_shape"] = arguments.pop("batch_input_shape")
    if class_name == "BatchNormalization" and isinstance(arguments.get("axis"), list):
        arguments["axis"] = arguments["axis"][0]
    if arguments.get("reduction") == "auto":
        arguments["reduction"] = "sum_over_batch_size"
        arguments.pop("fn", None)
    return arguments
