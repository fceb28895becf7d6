"""LowRankAdapter: what layers share whose weight can be trained by a product of thin matrices that is added to it."""

from dlcore import ops
from dlcore.backend.arguments import number, positive_int
from dlcore.layers.holder import note_structure_change
from dlcore.quantizers.quantized_weight import QuantizedWeight


class LowRankAdapter:
    """Mixed into a layer: `enable_lora` freezes the weight W; W + alpha / rank * A B takes its place, A and B learn.

    A has the weight's shape but for its last axis, which has the size `rank`; B is (rank, W's last size). The layer
    says which attribute the weight is; that attribute is the sum then. A quantized weight stays the attribute. Products
    with inputs take A and B one after the other where they can. Files hold the sum, as of a layer without: as integers
    where the weight is that.

    Reference: Hu et al. 2021.
    """

    adapted_weight = "kernel"
    lora_rank = lora_alpha = None
    lora_enabled = False

    def take_lora(self, rank, alpha):
        """Keeps the constructor's arguments `lora_rank` and `lora_alpha`, for when the layer is built."""
        self.lora_rank = None if rank is None else positive_int(type(self).__name__, "lora_rank", rank)
        self.lora_alpha = self.lora_rank if alpha is None else number(type(self).__name__, "lora_alpha", alpha)

    def enable_lora(self, rank, lora_alpha=None, a_initializer="he_uniform", b_initializer="zeros"):
        """Freezes the weight, and adds the product of two matrices that are trained instead.

        Args:
            rank: int > 0: the size that the matrices share.
            lora_alpha: number, default `rank`: the product is added times lora_alpha / rank.
            a_initializer, b_initializer: of the matrices; with zeros for one of them the layer begins as it was.

        A compiled model is compiled anew afterwards: it has other weights to train.

        Raises:
            ValueError: the layer is not built, has adapters already, is quantized to others than integers, or has a
                constraint of its weight.
        """
        name = self.adapted_weight
        problem = (
            "must be built first; call it on data"
            if not self.built
            else "has them already"
            if self.lora_enabled
            else f"is quantized to {self.quantization_mode}; enable them before"
            if self.quantization_mode is not None and not self._holds_integers
            else f"has a {name}_constraint, which the sum would not keep"
            if getattr(self, f"{name}_constraint") is not None
            else None
        )
        if problem:
            raise ValueError(f"{self._label()}: no low-rank adapters can be added: the layer {problem}.")
        self._add_adapters(rank, lora_alpha, a_initializer, b_initializer)

    def add_adapters_if_asked(self):
        """At the end of build: the adapters that the constructor was asked for."""
        if self.lora_rank is not None and (self.quantization_mode is None or self._holds_integers):
            self._add_adapters(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def _add_adapters(self, rank, alpha, a_initializer, b_initializer):
        name = self.adapted_weight
        self.take_lora(rank, alpha)
        if self._holds_integers:
            shape = self._form.shape
        else:
            shape = getattr(self, name).shape
            # In its place, on which the order of weights depends.
            renamed = {f"_{name}" if key == name else key: value for key, value in self.__dict__.items()}
            self.__dict__.clear()
            self.__dict__.update(renamed)
            self._frozen_weight().trainable = False
        regularizer = getattr(self, f"{name}_regularizer")
        shapes = {"a": (*shape[:-1], self.lora_rank), "b": (self.lora_rank, shape[-1])}
        for part, initializer in (("a", a_initializer), ("b", b_initializer)):
            full_name = f"lora_{name}_{part}"
            variable = self.add_weight(shapes[part], initializer, regularizer=regularizer, name=full_name)
            setattr(self, full_name, variable)
        self.lora_enabled = True
        note_structure_change()

    @property
    def _holds_integers(self):
        return self.quantization_mode in ("int8", "int4") and isinstance(self, QuantizedWeight)

    def __getattr__(self, name):
        # Asked for what is no attribute: the weight has made way for the sum.
        if name == type(self).adapted_weight and self.__dict__.get("lora_enabled"):
            return ops.add(self._frozen_weight(), self.adapter_product())
        return super().__getattr__(name)

    def _frozen_weight(self):
        return self.__dict__[f"_{self.adapted_weight}"]

    def adapter_product(self, rows=None):
        """alpha / rank * A B; with `rows`, of these indices of A's first axis only."""
        a, b = (getattr(self, f"lora_{self.adapted_weight}_{part}") for part in "ab")
        a = a if rows is None else ops.take(a, rows, axis=0)
        return ops.multiply(ops.matmul(a, b), self._adapter_scale)

    @property
    def _adapter_scale(self):
        return self.lora_alpha / self.lora_rank

    def product_with_weight(self, multiply, inputs):
        """multiply(inputs, weight), with adapters too: a tensor of the shape that multiply() gives."""
        weight = self._frozen_weight() if self.lora_enabled else getattr(self, self.adapted_weight)
        return self.with_adapters(multiply(inputs, weight), multiply, inputs)

    def with_adapters(self, product, multiply, inputs):
        """A product with the frozen weight plus that with the adapters, where there are any."""
        if not self.lora_enabled:
            return product
        if not self._keeps_last_axis():
            return ops.add(product, multiply(inputs, self.adapter_product()))
        a, b = (getattr(self, f"lora_{self.adapted_weight}_{part}") for part in "ab")
        of_adapters = ops.matmul(multiply(inputs, a), b)
        return ops.add(product, ops.multiply(of_adapters, self._adapter_scale))

    def _keeps_last_axis(self):
        """Whether the weight's last axis is the last one of its products with inputs."""
        return True

    def uncover_weight(self):
        """Makes the frozen weight the attribute once more, as a quantized one is."""
        name = self.adapted_weight
        renamed = {name if key == f"_{name}" else key: value for key, value in self.__dict__.items()}
        self.__dict__.clear()
        self.__dict__.update(renamed)

    def merge_adapters(self):
        """Makes the weight what the sum is, and forgets the adapters."""
        name = self.adapted_weight
        weight, merged = self._frozen_weight(), getattr(self, name)
        weight.assign(merged)
        weight.trainable = self._trainable
        adapters = [self.__dict__.pop(f"lora_{name}_{part}") for part in "ab"]
        self._weights = [v for v in self._weights if not any(v is adapter for adapter in adapters)]
        self.uncover_weight()
        self.lora_enabled, self.lora_rank, self.lora_alpha = False, None, None
        note_structure_change()

    def save_own_variables(self, store):
        if not self.lora_enabled:
            super().save_own_variables(store)
            return
        if self._holds_integers:
            merged = self._form.values_with(self.adapter_product())
        else:
            merged = [(self._frozen_weight(), getattr(self, self.adapted_weight))]
        for i, variable in enumerate(self._without_adapters()):
            store[str(i)] = next((value for of, value in merged if of is variable), variable)

    def load_own_variables(self, store):
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        variables = self._without_adapters()
        if len(store) != len(variables):
            raise ValueError(f"{self._label()} has {len(variables)} variables, but {len(store)} are stored.")
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])
        # What is stored is the sum.
        b = getattr(self, f"lora_{self.adapted_weight}_b")
        b.assign(ops.zeros_like(b))

    def _without_adapters(self):
        return [v for v in self._own_variables if not v.name.startswith("lora_")]

    def lora_entries(self):
        """What the layer's configuration says of it; nothing where there are no adapters."""
        return {} if self.lora_rank is None else {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
