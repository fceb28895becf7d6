"""Layer: named variables and the computation that uses them."""

import functools
import inspect
import threading
import weakref

import numpy as np

from dlcore import _core, backend, tree
from dlcore.backend import dtype_policy, names
from dlcore.backend.arguments import check_arguments
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.scopes import get_stateless_scope, run_stateless
from dlcore.backend.strings import Strings
from dlcore.backend.tensorflow_graph import call_in_graph, is_in_graph
from dlcore.backend.tensors import Tensor, convert_to_tensor
from dlcore.backend.tracebacks import naming, shortened, warn
from dlcore.backend.variables import Variable, reading
from dlcore.errors import NotTraceable
from dlcore.layers.call_spec import (
    SignatureOfInit,
    call_with_shapes,
    is_tensor_structure,
    python_signature_of,
    shapes_of,
    signature_of,
)
from dlcore.layers.holder import Holder, note_structure_change, weights_in
from dlcore.layers.input_spec import InputSpec, assert_input_compatibility
from dlcore.layers.remat import current_scope
from dlcore.ops.operation import Node, Operation, UnknownSizeError, any_keras_tensor, infer_outputs
from dlcore.registry import custom_object_scope


class _CallContext(threading.local):
    """What nested calls of layers share: whether one is running, and the training flag of the outermost."""

    depth = 0
    training = None


call_context = _CallContext()
# Layers that hold losses of the last call.
_layers_with_losses = weakref.WeakSet()
# Held by the thread that builds a layer or traces a step: both run Python code that makes what all threads share.
building = threading.RLock()


def _with_name_by_keyword(add_weight):
    """Decorator: explains the name in front, where Keras 2 had it."""

    @functools.wraps(add_weight)
    def call(self, *args, **kwargs):
        if args and isinstance(args[0], str):
            raise ValueError(
                f"{self._label()}: the name of a weight is passed by keyword: add_weight(shape=..., name={args[0]!r})."
            )
        return add_weight(self, *args, **kwargs)

    return call


def _that_builds(build):
    """Decorator of a class's `build`: runs in the layer's name scope; the layer is built then, and knows for what."""

    def shapes_given(self, *args, **kwargs):
        shapes = python_signature_of(build).bind(self, *args, **kwargs).arguments
        shapes.pop(next(iter(shapes)))
        return {"input_shape": next(iter(shapes.values()))} if len(shapes) == 1 else shapes

    @functools.wraps(build)
    def call(self, *args, **kwargs):
        if self._is_building:  # by a subclass's build
            return build(self, *args, **kwargs)
        if self.built and self._weights:
            if shapes_given(self, *args, **kwargs) == self._build_shapes:  # as by compute_output_shape()
                return
            raise ValueError(
                f"{self._label()} is built already: it has the weights {[v.name for v in self._weights]}. Make another "
                "layer for other inputs."
            )
        before, outer_dtype = list(self._weights), reading.dtype
        self._is_building, reading.dtype = True, None
        try:
            with self._scope(), _core.Unrecorded():
                build(self, *args, **kwargs)
        except BaseException:
            self._weights = before
            raise
        finally:
            self._is_building, reading.dtype = False, outer_dtype
        self._build_shapes = shapes_given(self, *args, **kwargs)
        self.built = True
        self._lock_trainable()

    call.builds = True
    return call


class Layer(Holder, Operation):
    """The base of all layers.

    A subclass creates its variables in `build(input_shape)` with `add_weight` and computes in `call(inputs)`. Layers,
    variables and seed generators that are attributes (also in lists and dicts) are found by themselves.

    Args:
        activity_regularizer: regularizer of the outputs, or its name.
        trainable: whether the variables are updated in training.
        dtype: dtype of computation and variables, or a DTypePolicy.
        autocast: whether float inputs are cast to that dtype.
        name: default: the class's name in snake case, made unique.
        input_shape, batch_input_shape, input_dim, batch_size: where the layer is the first of a Sequential model, the
            shape of its inputs.

    Example:

    >>> class Linear(Layer):
    ...     def __init__(self, units):
    ...         super().__init__()
    ...         self.units = units
    ...     def build(self, input_shape):
    ...         self.kernel = self.add_weight(shape=(input_shape[-1], self.units))
    ...     def call(self, inputs):
    ...         return ops.matmul(inputs, self.kernel)
    """

    # Of a class that makes no weights: its layers are built from the start, unless a subclass has a build() of its own.
    _has_no_weights = False

    __signature__ = SignatureOfInit()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not hasattr(cls.build, "builds"):
            cls.build = _that_builds(cls.build)

    def __new__(cls, *args, **kwargs):
        check_arguments(cls, args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None, **kwargs):
        self.name = name if name is not None else names.auto_name(type(self).__name__)
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(f"A layer's name must be a string without '/'. Received: name={name!r}")
        self._inbound_nodes = []
        self._batch_input_shape = _first_input_shape(kwargs)
        if kwargs:
            unknown = ", ".join(repr(key) for key in kwargs)
            known = {*inspect.signature(type(self).__init__).parameters, *inspect.signature(Layer.__init__).parameters}
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}. "
                + backend.nearest_hint(next(iter(kwargs)), known - {"self", "args", "kwargs"})
            )
        self._path = None
        self.dtype_policy = dtype
        self.autocast = autocast
        self.activity_regularizer = _get_regularizer(activity_regularizer)
        self.input_spec = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        self.built = self._has_no_weights and type(self).build is Layer.build
        self._trainable = bool(trainable)
        self._weights = []
        self._losses = []
        self._build_shapes = None
        self._training_call = None
        self._remat_scope = current_scope()

    # ---- variables and sublayers

    _is_building = False

    @_that_builds
    def build(self, input_shape):
        """Creates the variables; called once, with the shape of the first input. A subclass need not call this one."""

    @_with_name_by_keyword
    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation="none",
        overwrite_with_gradient=False,
        name=None,
    ):
        """A new variable of this layer.

        Args:
            shape: tuple of ints, default a scalar.
            initializer: name, callable or array; default Glorot uniform for floats, zeros for others.
            dtype: default the layer's variable dtype.
            trainable: whether it is updated in training.
            autocast: whether it is read in the compute dtype in mixed precision.
            regularizer, constraint: as for layers.
            aggregation: kept for Keras's signature.
            overwrite_with_gradient: bool, default False: whether an optimizer sets it to its gradient.
            name: default "variable".
        """
        self._check_super_called()
        if self.built and not self._is_building and call_context.depth:
            raise ValueError(
                f"{self._label()}: call() makes a weight each time it runs, which is never trained. Make weights in "
                "__init__() or build() and keep them as attributes."
            )
        dtype = backend.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if backend.is_float_dtype(dtype) else "zeros"
        with self._scope():
            variable = Variable(initializer, tuple(shape or ()), dtype, trainable, autocast, name=name)
        variable.regularizer = _get_regularizer(regularizer)
        variable.constraint = _get_constraint(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        variable.trainable = trainable and self._trainable
        self._weights.append(variable)
        return variable

    def add_variable(
        self,
        shape,
        initializer,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        name=None,
    ):
        """As `add_weight`, which is the usual name."""
        return self.add_weight(shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name)

    # ---- dtypes and names

    @property
    def dtype_policy(self):
        """The `DTypePolicy`; of a `DTypePolicyMap` the one for the layer's path."""
        policy = self._dtype_policy
        return policy[self.path] if isinstance(policy, dtype_policy.DTypePolicyMap) else policy

    @dtype_policy.setter
    def dtype_policy(self, value):
        policy = dtype_policy.get_policy(value)
        is_quantized = isinstance(policy, dtype_policy.QuantizedDTypePolicy)
        if is_quantized and self.__dict__.get("built") and self.quantization_mode is None:
            self._quantize_to(policy)
        else:
            self.put_dtype_policy(policy)

    def _quantize_to(self, policy):
        """Quantizes a built layer as a policy names it."""
        previous = self.dtype_policy
        self.put_dtype_policy(policy.source)
        try:
            self.quantize(policy.quantization_mode, config=policy.quantization_config())
        except BaseException:
            self.put_dtype_policy(previous)
            raise

    def put_dtype_policy(self, policy):
        """Sets the policy alone: the weights stay as they are."""
        previous = self.__dict__.get("_dtype_policy")
        if isinstance(previous, dtype_policy.DTypePolicyMap) and not isinstance(policy, dtype_policy.DTypePolicyMap):
            if self.path in list(previous):  # by itself, not by a pattern
                del previous[self.path]
            previous[self.path] = policy
        else:
            self._dtype_policy = policy
        if previous is not None:
            note_structure_change()

    def _reading_dtype(self):
        """The dtype that float variables are read in while the layer runs; None: as they are."""
        policy = self.dtype_policy
        differs = policy.compute_dtype != policy.variable_dtype
        return policy.compute_dtype if differs and self.autocast else None

    @property
    def quantization_mode(self):
        """The form of the weight, `"int8"` or another of the modes that `quantize` takes; None: floats."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode=None, type_check=True, config=None):
        """Keeps the kernel in few bits, or computes in few; a NotImplementedError in layers that have no such form."""
        raise NotImplementedError(f"{self._label()} can't be quantized: its class has no quantize() of its own.")

    @property
    def compute_dtype(self):
        """The dtype in which the layer computes."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self):
        """The dtype of the variables."""
        return self.dtype_policy.variable_dtype

    @property
    def dtype(self):
        """The dtype of the variables."""
        return self.variable_dtype

    @property
    def input_dtype(self):
        """The dtype that float inputs are cast to."""
        return self.compute_dtype

    @property
    def path(self):
        """The names of the layers around it and its own, joined by "/"."""
        return self._path or self.name

    def _label(self):
        return f'{type(self).__name__} "{getattr(self, "name", "?")}"'

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __reduce__(self):
        """Copies and pickles have all attributes, so the weights, but are no part of a model's graph."""
        return object.__new__, (type(self),), {**self.__dict__, "_inbound_nodes": [], "_losses": []}

    def _check_super_called(self):
        if "_weights" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, super().__init__() was not called. Call it first in __init__()."
            )

    def _scope(self):
        return _LayerScope(self)

    # ---- calls

    def call(self, *args, **kwargs):
        """The computation, which subclasses define. Users call the layer itself."""
        raise NotImplementedError(f"Layer {type(self).__name__} has no call() method; define what it computes there.")

    def __call__(self, *args, **kwargs):
        self._check_super_called()
        try:
            if any_keras_tensor(args, kwargs) or _deep_keras_tensor(args):
                return self.symbolic_call(*args, **kwargs)
            if is_in_graph(args, kwargs):
                return call_in_graph(self, args, kwargs)
            return self._call_layer(*args, **kwargs)
        except Exception as error:
            raise shortened(naming(error, type(self).__name__, self.name, self.path))  # noqa: B904, the same error

    def __getattr__(self, name):
        # Called where there is no such attribute, or a property raised an AttributeError, which then is raised again.
        try:
            return object.__getattribute__(self, name)
        except AttributeError as error:
            if name.startswith("_") or hasattr(type(self), name) or self.__dict__.get("built", True):
                raise
            raise AttributeError(
                f"{error}. {self._label()} is not built yet: its weights are made when it is first called, or by "
                "build(input_shape).",
                name=name,
                obj=self,
            ) from None

    def quantized_call(self, *args, **kwargs):
        """The computation of a layer whose dtype is quantized; by default call()."""
        return self.call(*args, **kwargs)

    def stateless_call(self, trainable_variables, non_trainable_variables, *args, return_losses=False, **kwargs):
        """A call with given values of the variables; what it would write to them is returned.

        Args:
            trainable_variables, non_trainable_variables: values in the order of the properties of these names.
            return_losses: bool, default False: return the losses too.

        Returns:
            outputs, values of the non-trainable variables (and list of losses).
        """
        if not self.built:
            raise ValueError(f"{self._label()}: build it before stateless_call(), which needs its variables.")
        variables = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
        }
        values = {"trainable_variables": trainable_variables, "non_trainable_variables": non_trainable_variables}
        (outputs, losses), (_, written) = run_stateless(
            self._label(), variables, values, lambda: (self(*args, **kwargs), self.losses if return_losses else None)
        )
        return (outputs, written, losses) if return_losses else (outputs, written)

    def symbolic_call(self, *args, **kwargs):
        """A call on KerasTensors: builds, infers the outputs, records the node."""
        if self.input_spec is not None:
            assert_input_compatibility(self.input_spec, args[0] if args else next(iter(kwargs.values())), self.name)
        if not self.built:
            self._build_once(signature_of(type(self).call).bind(args, kwargs))
        outputs = self.compute_output_spec(*args, **kwargs)
        self._clear_losses()  # they are of the trace
        Node(self, args, kwargs, outputs)
        return outputs

    def _call_layer(self, *args, **kwargs):
        """One call on tensors: checks, builds, passes on training flag and masks, computes, collects losses."""
        if not (len(args) == 1 and not kwargs and type(args[0]) is Tensor and args[0].dtype == self.compute_dtype):
            args, kwargs = self._convert_arguments(args, kwargs)
        signature = signature_of(type(self).call)
        first = args[0] if args else next(iter(kwargs.values()), None)
        if self.input_spec is not None:
            assert_input_compatibility(self.input_spec, first, self.name)
        if not self.built:
            self._build_once(signature.bind(args, kwargs))
        if call_context.depth == 0:
            self._clear_losses()
        previous_training = call_context.training
        training = self._resolve_training(signature, args, kwargs)
        previous_mask = self._pass_masks(signature, args, kwargs, first)
        previous_dtype = reading.dtype
        call_context.depth += 1
        call_context.training = training
        reading.dtype = self._reading_dtype()
        try:
            outputs = self._scoped_call(args, kwargs)
        finally:
            call_context.depth -= 1
            call_context.training = previous_training
            reading.dtype = previous_dtype
        if self.activity_regularizer is not None:
            self._add_activity_loss(outputs)
        # A layer with a compute_mask of its own, such as Embedding, may make a mask where its inputs carry none.
        if previous_mask is not None or (self.supports_masking and type(self).compute_mask is not Layer.compute_mask):
            self._set_output_mask(first, outputs, previous_mask)
        return outputs

    def _scoped_call(self, args, kwargs):
        """The call itself; the first one in the layer's name scope, for variables that are made there."""
        if self._called:
            return self._own_call(args, kwargs)
        with self._scope():
            outputs = self._own_call(args, kwargs)
        self._called = True
        return outputs

    _called = False

    def _own_call(self, args, kwargs):
        call = self.call if self.quantization_mode is None else self.quantized_call
        if _core.Graph.current() is None:
            return self._remat_call(call, args, kwargs)
        with _core.CallerScope(f'{type(self).__name__} "{self.path}"'):
            return self._remat_call(call, args, kwargs)

    def _remat_call(self, call, args, kwargs):
        return call(*args, **kwargs) if self._remat_scope is None else self._remat_scope.call(self, call, args, kwargs)

    def _convert_arguments(self, args, kwargs):
        """Arrays to tensors, floats to the compute dtype; masks stay with their tensors."""
        args = tuple(tree.map_structure(self._convert_argument, arg) for arg in args)
        return args, {key: tree.map_structure(self._convert_argument, value) for key, value in kwargs.items()}

    def _convert_argument(self, x):
        if isinstance(x, Variable):
            x = x.value
        elif isinstance(x, np.ndarray):
            if backend.is_text(x):
                return x  # for the layers that look at strings
            floats = self.autocast and x.dtype.kind == "f"
            return convert_to_tensor(x, self.compute_dtype if floats else None)
        elif not isinstance(x, (Tensor, KerasTensor, Strings)) and hasattr(x, "__array__"):
            x = convert_to_tensor(x)  # of another library
        if not isinstance(x, Tensor) or not self.autocast:
            return x
        if x.dtype == self.compute_dtype or not backend.is_float_dtype(x.dtype):
            return x
        y = convert_to_tensor(x, self.compute_dtype)
        if hasattr(x, "_keras_mask"):
            y._keras_mask = x._keras_mask
        return y

    def _check_complete(self, arguments):
        signature = signature_of(type(self).call)
        filled_in = {name for name in signature.names if name == "training" or name.endswith("mask")}
        needed = [name for name in signature.names if name not in signature.defaults and name not in filled_in]
        missing = [name for name in needed if name not in arguments]
        if missing:
            raise TypeError(
                f"{self._label()} is called with the arguments {needed}. Got {list(arguments)}: pass {missing}."
            )

    def _build_once(self, arguments):
        with building:
            if not self.built:  # by another thread meanwhile
                self._build_for(arguments)

    def _build_for(self, arguments):
        """Builds for the shapes of the tensor arguments."""
        shapes = {name: shapes_of(x) for name, x in arguments.items() if is_tensor_structure(x)}
        if not shapes:
            raise ValueError(f"{self._label()} was called without a tensor, so it can't be built.")
        self._check_complete(arguments)
        call_with_shapes(self, "build", shapes)

    def _lock_trainable(self):
        if not self._trainable:
            for variable in self._trainable_variables:
                variable.trainable = False

    def _resolve_training(self, signature, args, kwargs):
        """The flag given, else that of the outer call, else the default of call(); None when nobody says."""
        training = kwargs.get("training")
        if training is None and signature.has_training and len(args) > 1 and "training" in signature.names[: len(args)]:
            training = args[signature.names.index("training")]
        if training is None:
            training = call_context.training
            if training is None:
                training = signature.defaults.get("training")
            if signature.has_training and training is not None:
                if "training" not in signature.names[: len(args)]:
                    kwargs["training"] = training
        if not signature.has_training and not signature.has_kwargs:
            kwargs.pop("training", None)
        return training

    def _pass_masks(self, signature, args, kwargs, first):
        """Gives masks that the inputs carry to the mask arguments. Returns the first input's mask, if any.

        As in Keras, `mask` is that of the only tensor argument; where there are several, `x_mask` is that of `x`.
        """
        if signature.has_mask or signature.own_masks:
            given = {k: x for k, x in signature.bind(args, kwargs).items() if is_tensor_structure(x)}
            only = len(given) == 1
            for name, value in given.items():
                mask_name = ("mask" if signature.has_mask else None) if only else signature.own_masks.get(name)
                if mask_name and kwargs.get(mask_name) is None and mask_name not in signature.names[: len(args)]:
                    mask = _mask_of(value)
                    if mask is not None:
                        kwargs[mask_name] = mask
        mask = kwargs.get("mask")
        return mask if mask is not None else _mask_of(first)

    def compute_mask(self, inputs, previous_mask):
        """The mask of the outputs: by default that of the inputs."""
        return previous_mask

    _warned_of_mask = False

    def _set_output_mask(self, inputs, outputs, previous_mask):
        if not self.supports_masking:
            if not self._warned_of_mask:
                self._warned_of_mask = True
                warn(f"{self._label()} was passed an input with a mask, but does not support masking: it ends here.")
            return
        leaves = [y for y in tree.flatten(outputs) if isinstance(y, Tensor)]
        if all(getattr(y, "_keras_mask", None) is not None for y in leaves):
            return
        # A layer may have masks for its first outputs only.
        for output, mask in zip(leaves, tree.flatten(self.compute_mask(inputs, previous_mask))):
            if mask is not None and getattr(output, "_keras_mask", None) is None:
                output._keras_mask = mask

    # ---- losses

    def add_loss(self, loss):
        """Adds a scalar (or several) to the losses of the current call."""
        for value in tree.flatten(loss):
            value = convert_to_tensor(value)
            if value.ndim:
                raise ValueError(
                    f"{self._label()}: add_loss() takes scalars. Received a tensor of shape {value.shape}."
                )
            self._losses.append(value)
            scope = get_stateless_scope()
            if scope is not None and scope.collect_losses:
                scope.add_loss(value)
        _layers_with_losses.add(self)

    def add_metric(self, *args, **kwargs):
        """Not there, as in Keras 3: a NotImplementedError that says what to do instead."""
        raise NotImplementedError(
            f"{self._label()}: there is no add_metric(). Pass the metric to compile(metrics=[...]), or keep a metric "
            "as an attribute and call its update_state() in call()."
        )

    def _add_activity_loss(self, outputs):
        for output in tree.flatten(outputs):
            if isinstance(output, Tensor):
                loss = self.activity_regularizer(output)
                # Per example, so that its strength does not depend on the batch size.
                self.add_loss(loss / float(output.shape[0]) if output.ndim and output.shape[0] else loss)

    @property
    def losses(self):
        """Losses added in the last call, and those of the weights' regularizers."""
        walked = self._walk(Variable)
        losses = [loss for layer, _ in walked for loss in layer._losses]
        for variable in weights_in(walked) if self.trainable else ():
            if variable.trainable and variable.regularizer is not None:
                losses.append(convert_to_tensor(variable.regularizer(variable)))
        return losses

    def _clear_losses(self):
        for layer in self._flatten_layers() if _layers_with_losses else ():
            layer._losses.clear()
            _layers_with_losses.discard(layer)

    # ---- shapes

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for a shape of the inputs, found by tracing."""
        inputs = placeholders_of(input_shape, self.compute_dtype)
        if self._declares_output_shape():  # by a subclass's compute_output_shape
            return shapes_of(infer_outputs(self._call_layer, (inputs,), {}))
        return shapes_of(self.compute_output_spec(inputs))

    def compute_output_spec(self, *args, **kwargs):
        """KerasTensors like the outputs for KerasTensors, found by tracing.

        Of a layer of the user's own compute_output_shape() says the shapes. Where its call() can't be traced, such as
        one in NumPy, the model runs eagerly.
        """
        try:
            traced = infer_outputs(self._call_layer, args, kwargs)
        except (NotTraceable, UnknownSizeError):
            if not self._declares_output_shape():
                raise
            traced, self.is_traceable = None, False
        if not self._declares_output_shape():
            return traced
        arguments = signature_of(type(self).call).bind(args, kwargs)
        shapes = {name: shapes_of(x) for name, x in arguments.items() if is_tensor_structure(x)}
        declared = placeholders_of(call_with_shapes(self, "compute_output_shape", shapes), self.compute_dtype)
        if traced is None:
            return declared
        for output, like in zip(tree.flatten(traced), tree.flatten(declared)):
            output.shape = like.shape
        return traced

    def _declares_output_shape(self):
        of_user = not str(type(self).call.__module__).startswith("dlcore.")
        return of_user and type(self).compute_output_shape is not Layer.compute_output_shape

    @property
    def input_shape(self):
        """The shape(s) of `input`."""
        return shapes_of(self.input)

    @property
    def output_shape(self):
        """The shape(s) of `output`."""
        return shapes_of(self.output)

    def _first_node(self, what):
        if len({str(shapes_of(node.outputs)) for node in self._inbound_nodes}) > 1:
            raise AttributeError(f"{self._label()} was called several times: its {what} is not unique.")
        return super()._first_node(what)

    # ---- configuration and state

    def get_config(self):
        """The constructor's arguments as plain values."""
        own = type(self).get_config is Layer.get_config and type(self).__init__ is not Layer.__init__
        config = {"name": self.name}
        if own:
            config.update(self._arguments_as_config())
        config["trainable"] = self.trainable
        config["dtype"] = dtype_policy.serialize_policy(self._dtype_policy)
        if self.activity_regularizer is not None:
            from dlcore import regularizers

            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def _arguments_as_config(self):
        own = super()._arguments_as_config()
        return {key: value for key, value in own.items() if key not in ("trainable", "dtype")}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new layer from what get_config() returned.

        Args:
            config: dict.
            custom_objects: dict of the classes and functions of the user's own that it names.
        """
        if isinstance(config.get("dtype"), dict):
            policy = dtype_policy.get_policy(config["dtype"])
            config = {**config, "dtype": policy.name if type(policy) is dtype_policy.DTypePolicy else policy}
        with custom_object_scope(custom_objects or {}):
            return super().from_config(config)

    def get_build_config(self):
        """The shapes that the layer was built for."""
        if self._build_shapes is None:
            return None
        return dict(self._build_shapes) if len(self._build_shapes) == 1 else {"shapes_dict": dict(self._build_shapes)}

    def build_from_config(self, config):
        """Builds for stored shapes."""
        if not config or self.built:
            return
        if not isinstance(config, dict):
            raise ValueError(f"{self._label()}: expected a dict of the shapes that it was built for. Got {config!r}.")
        if config == {"shapes_dict": {}}:  # its build() was called without a shape
            self.build()
            return
        shapes = config.get("shapes_dict") or config
        shapes = {key: _as_tuples(value) for key, value in shapes.items() if key.endswith("shape") and value}
        if not shapes:
            return
        if len(shapes) == 1:
            self.build(next(iter(shapes.values())))
        else:
            self.build(**shapes)

    def save_own_variables(self, store):
        """Puts the layer's own variables into a dict, by number."""
        for i, variable in enumerate(self._own_variables):
            store[str(i)] = variable

    def load_own_variables(self, store):
        """Takes the layer's own variables from a dict, by number."""
        variables = self._own_variables
        if len(store) != len(variables):
            raise ValueError(
                f"{self._label()} has {len(variables)} variables, but {len(store)} are stored. "
                + ("Build the layer before loading." if not self.built else "")
            )
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])


class _LayerScope(names.name_scope):
    """The layer's name scope; the layer keeps the path of the first one."""

    def __init__(self, layer):
        super().__init__(layer.name)
        self._layer = layer

    def __enter__(self):
        path = self._layer._path
        scopes = names.open_scopes()
        self._saved = list(scopes)
        if path is None:
            scopes.append(self.name)
            self._layer._path = names.current_path()
        else:
            scopes[:] = path.split("/")
        return self

    def __exit__(self, *exception):
        names.open_scopes()[:] = self._saved


def _deep_keras_tensor(args):
    """KerasTensors in dicts or deeper lists."""
    for arg in args:
        if isinstance(arg, (dict, list, tuple)) and any(isinstance(x, KerasTensor) for x in tree.flatten(arg)):
            return True
    return False


def _mask_of(x):
    """The mask that a tensor carries; for a structure the structure of masks, or None when there is none."""
    if type(x) is Tensor:
        return getattr(x, "_keras_mask", None)
    if not isinstance(x, (list, tuple, dict)):
        return None
    masks = tree.map_structure(lambda t: getattr(t, "_keras_mask", None), x)
    return masks if any(mask is not None for mask in tree.flatten(masks)) else None


def _is_shape(x):
    return isinstance(x, (list, tuple)) and all(size is None or isinstance(size, int) for size in x)


def _as_tuples(shapes):
    if _is_shape(shapes):
        return tuple(shapes)
    if isinstance(shapes, dict):
        return {key: _as_tuples(value) for key, value in shapes.items()}
    return [_as_tuples(shape) for shape in shapes]


def placeholders_of(shapes, dtype):
    """KerasTensors of shapes, in their structure."""
    if _is_shape(shapes):
        return KerasTensor(shapes, dtype)
    if isinstance(shapes, dict):
        return {key: placeholders_of(shape, dtype) for key, shape in shapes.items()}
    return [placeholders_of(shape, dtype) for shape in shapes]


def _first_input_shape(kwargs):
    """The batch shape that the old spellings of the input's shape give, taken out of kwargs; or None."""
    batch_size = kwargs.pop("batch_size", None)
    shape = kwargs.pop("input_shape", None)
    dim = kwargs.pop("input_dim", None)
    batch_shape = kwargs.pop("batch_input_shape", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is not None:
        return (batch_size, *((shape,) if isinstance(shape, int) else tuple(shape)))
    return (batch_size, dim) if dim is not None else None


def _get_regularizer(identifier):
    if identifier is None or callable(identifier):
        return identifier
    from dlcore import regularizers

    return regularizers.get(identifier)


def _get_constraint(identifier):
    if identifier is None or callable(identifier):
        return identifier
    from dlcore import constraints

    return constraints.get(identifier)


__all__ = ["InputSpec", "Layer"]
