"""clone_model: a model of the same layers with new weights."""


def clone_model(model, input_tensors=None, clone_function=None):
    """A model of the same configuration whose layers and weights are new.

    Args:
        model: a Functional or Sequential model, or one whose class has get_config().
        clone_function: layer -> layer, default: a layer of the same configuration.
    """
    if input_tensors is not None:
        raise NotImplementedError("clone_model: `input_tensors` is not supported; call the clone on them instead.")
    if clone_function is None:
        return type(model).from_config(model.get_config())
    from dlcore.models.sequential import Sequential

    if not isinstance(model, Sequential):
        raise NotImplementedError("clone_model: `clone_function` is supported for Sequential models only.")
    clone = Sequential([clone_function(layer) for layer in model.layers], name=model.name)
    if not clone.built and model.built:
        clone.build(model.input_shape)
    return clone
