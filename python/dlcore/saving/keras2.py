"""Configurations of Keras 2, as its .h5 files hold them, in the form of Keras 3."""

# Arguments that Keras 3 dropped, whatever their value.
_DROPPED = ("implementation", "time_major", "input_length", "jit_compile", "is_legacy_optimizer", "fn")


def modernize(config):
    """The configuration of a model in the form of Keras 3; what has that form already stays as it is."""
    if isinstance(config, list):
        return [modernize(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: modernize(value) for key, value in config.items()}
    if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict):
        config["class_name"] = config["class_name"].removeprefix("Custom>")
        config["config"] = _arguments(config["class_name"], config["config"])
    return config


def _arguments(class_name, arguments):
    arguments = {key: value for key, value in arguments.items() if key not in _DROPPED}
    if class_name == "InputLayer" and "batch_input_shape" in arguments:
        arguments["batch_shape"] = arguments.pop("batch_input_shape")
    if class_name == "BatchNormalization" and isinstance(arguments.get("axis"), list):
        arguments["axis"] = arguments["axis"][0]
    if arguments.get("reduction") == "auto":
        arguments["reduction"] = "sum_over_batch_size"
    return arguments
