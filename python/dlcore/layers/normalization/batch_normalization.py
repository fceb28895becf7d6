import math

from dlcore import _core, backend, ops
from dlcore.backend.arguments import axis_of, number
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.normalization.shared import add_gamma_and_beta
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of


class BatchNormalization(Layer):
    """Normalizes each channel over the batch: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    In training mean and variance are the batch's, and moving averages of them are kept:
    moving <- momentum * moving + (1 - momentum) * batch. Otherwise the moving averages are used; also when the layer is
    frozen (`trainable = False`).

    With `renorm` training normalizes nearly as inference will: y = gamma * (r * (x - mean) / sqrt(variance + epsilon)
    + d) + beta, where r = stddev / renorm_stddev and d = (mean - renorm_mean) / renorm_stddev count as constants, and
    renorm_mean and renorm_stddev are moving averages of their own.

    Args:
        axis: int, default -1: the axis of the channels.
        momentum: float, default 0.99.
        epsilon: float, default 0.001.
        center: bool, default True: learn beta.
        scale: bool, default True: learn gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: zeros, ones, zeros,
            ones.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: default None.
        renorm: bool, default False: batch renormalization.
        renorm_clipping: dict of any of `"rmin"`, `"rmax"` and `"dmax"`: the bounds of r and of |d|. Default None: none.
        renorm_momentum: float, default 0.99: that of renorm_mean and renorm_stddev.
        synchronized: bool, default False: where several processes train together (`distribution`), mean and variance
            are those of the batches of all.

    Input shape: any. Output shape: the same.

    Reference: Ioffe & Szegedy 2015; Ioffe 2017 (renorm).
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis = int(number("BatchNormalization", "axis", axis))
        self.momentum = float(number("BatchNormalization", "momentum", momentum))
        self.epsilon = float(number("BatchNormalization", "epsilon", epsilon))
        self.center = center
        self.scale = scale
        set_weight_options(self, **weight_options_of(locals()))
        self.renorm = bool(renorm)
        self.renorm_clipping = _checked_clipping(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = float(number("BatchNormalization", "renorm_momentum", renorm_momentum))
        self.synchronized = bool(synchronized)
        self.supports_masking = True

    def build(self, input_shape):
        axis = axis_of(self, self.axis, input_shape)
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f'BatchNormalization "{self.name}": the size of axis {self.axis} must be known. Got input shape '
                f"{tuple(input_shape)}."
            )
        add_gamma_and_beta(self, (channels,))
        self.moving_mean = self._add_average("moving_mean", channels, self.moving_mean_initializer)
        self.moving_variance = self._add_average("moving_variance", channels, self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._add_average("moving_stddev", channels, self._initial_stddev)
            self.renorm_mean = self._add_average("renorm_mean", channels, self.moving_mean_initializer)
            self.renorm_stddev = self._add_average("renorm_stddev", channels, self._initial_stddev)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: channels})

    def _add_average(self, name, channels, initializer):
        return self.add_weight((channels,), initializer, trainable=False, autocast=False, name=name)

    def _initial_stddev(self, shape, dtype=None):
        return ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def call(self, inputs, training=None, mask=None):
        # Half precision would overflow in the squares.
        wide = backend.result_type(inputs.dtype, "float32")
        if not (training and self.trainable):
            statistics = self.moving_mean, self.moving_variance
            outputs = self._normalize(ops.cast(inputs, wide), *statistics, self.gamma, self.beta)
            return ops.cast(outputs, self.compute_dtype)
        if mask is None and not self.renorm and not self.synchronized:
            outputs, mean, variance = self._normalize_by_batch(inputs, wide)
        else:
            x = ops.cast(inputs, wide)
            mean, variance = self._moments(x, mask)
            gamma, beta = self._renormed(mean, variance) if self.renorm else (self.gamma, self.beta)
            outputs = self._normalize(x, mean, variance, gamma, beta)
        self._move(self.moving_mean, mean, self.momentum)
        if self.renorm:
            stddev = self._stddev(variance)
            self._move(self.renorm_mean, mean, self.renorm_momentum)
            self._move(self.renorm_stddev, stddev, self.renorm_momentum)
            self._move(self.moving_stddev, stddev, self.momentum)
            self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev) - self.epsilon))
        else:
            self._move(self.moving_variance, variance, self.momentum)
        return ops.cast(outputs, self.compute_dtype)

    def _move(self, average, value, momentum):
        average.assign(average * momentum + value * (1.0 - momentum))

    def _normalize(self, inputs, mean, variance, gamma, beta):
        return ops.batch_normalization(
            inputs, mean=mean, variance=variance, axis=self.axis, offset=beta, scale=gamma, epsilon=self.epsilon
        )

    def _normalize_by_batch(self, inputs, wide):
        """Outputs, mean and variance, in one primitive."""
        gamma = ops.ones_like(self.moving_mean) if self.gamma is None else self.gamma
        beta = ops.zeros_like(self.moving_mean) if self.beta is None else self.beta
        x = inputs if backend.is_float_dtype(inputs.dtype) else ops.cast(inputs, wide)
        parameters = [ops.cast(gamma, wide), ops.cast(beta, wide)]
        return _core.apply("batch_norm", [x, *parameters], epsilon=self.epsilon, axis=self.axis)[:3]

    def _moments(self, inputs, mask):
        """Mean and variance over the positions that count."""
        axes = [axis for axis in range(len(inputs.shape)) if axis != self.axis % len(inputs.shape)]
        if mask is None:
            return ops.moments(inputs, axes, synchronized=self.synchronized)
        if len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                f'BatchNormalization "{self.name}": the mask must have one axis less than the input. Got mask '
                f"{tuple(mask.shape)} for input {tuple(inputs.shape)}."
            )
        counts = ops.logical_and(ops.expand_dims(ops.cast(mask, "bool"), -1), ops.ones_like(inputs, dtype="bool"))

        def total(x):
            return ops.sum(x, axis=axes, keepdims=True)

        number = total(ops.cast(counts, inputs.dtype)) + backend.epsilon()
        mean = total(ops.where(counts, inputs, 0)) / number
        variance = total(ops.where(counts, ops.square(inputs - mean), 0)) / number
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    # ---- batch renormalization

    def _stddev(self, variance):
        return ops.sqrt(variance + self.epsilon)

    def _renormed(self, mean, variance):
        """Factor r * gamma and offset d * gamma + beta, which take the averages' place of the batch's moments."""
        stddev = ops.maximum(self.renorm_stddev, math.sqrt(self.epsilon))
        bounds = self.renorm_clipping
        r = ops.clip(self._stddev(variance) / stddev, bounds.get("rmin", 0.0), bounds.get("rmax", math.inf))
        d = (mean - self.renorm_mean) / stddev
        d = ops.clip(d, -bounds.get("dmax", math.inf), bounds.get("dmax", math.inf))
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        factor, offset = (r, d) if self.gamma is None else (r * self.gamma, d * self.gamma)
        return factor, offset if self.beta is None else offset + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_options_config(self),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }


def _checked_clipping(clipping):
    """The bounds of r and d as a dict of those that are given."""
    clipping = {} if clipping is None else clipping
    if not isinstance(clipping, dict) or set(clipping) - {"rmin", "rmax", "dmax"}:
        raise ValueError(
            "BatchNormalization: renorm_clipping must be a dict with any of the keys 'rmin', 'rmax' and 'dmax'. Got "
            f"renorm_clipping={clipping!r}."
        )
    given = {key: number("BatchNormalization", key, value) for key, value in clipping.items() if value is not None}
    if given.get("rmin", 0) > given.get("rmax", math.inf) or given.get("dmax", 0) < 0:
        raise ValueError(f"BatchNormalization: rmin must be <= rmax, and dmax >= 0. Got renorm_clipping={clipping!r}.")
    return given
