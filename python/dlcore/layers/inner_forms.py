"""The forms of the weights of layers inside a layer: few bits, adapters.

A layer's configuration says in which form its own weight is, but not those of the layers that it makes for itself.
"""

from dlcore.backend.dtype_policy import deserialize_policy, serialize_policy
from dlcore.layers.lora import LowRankAdapter
from dlcore.quantizers.quantized_weight import QuantizedWeight


def inner_forms(layer):
    """The forms of the layers inside a layer, as plain values."""
    found = enumerate(map(_form, layer._flatten_layers(include_self=False)))
    return [{"place": place, **form} for place, form in found if form]


def _form(layer):
    form = {}
    if isinstance(layer, QuantizedWeight) and layer.quantization_mode is not None:
        form = {"dtype": serialize_policy(layer.dtype_policy), **layer.quantization_entries()}
    if isinstance(layer, LowRankAdapter) and layer.lora_enabled:
        form |= layer.lora_entries()
    return form


def restore_inner_forms(layer, forms):
    """Gives the layers inside a layer that was just built the forms that `inner_forms` returned, without values."""
    inner = dict(enumerate(layer._flatten_layers(include_self=False)))
    for form in forms:
        found = inner.get(form["place"])
        if not isinstance(found, QuantizedWeight if "dtype" in form else LowRankAdapter):
            what = "a quantized layer" if "dtype" in form else "a layer with low-rank adapters"
            raise ValueError(
                f"{layer._label()} was stored with {what} inside, at place {form['place']}, that its build() does not "
                "make. Make it of the class that was saved."
            )
        if "dtype" in form and found.built and found.quantization_mode is None:
            found.put_dtype_policy(deserialize_policy(form["dtype"]))
            found.take_quantization_config(form.get("quantization_config"))
            for part in found._forms():
                part.replace(part.variable)
        if "lora_rank" in form and found.built and not found.lora_enabled:
            found.enable_lora(form["lora_rank"], form["lora_alpha"])
