from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.initializers import TruncatedNormal
from dlcore.layers.core.wrapper import Wrapper
from dlcore.layers.input_spec import InputSpec


class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its greatest singular value, at each call in training.

    The singular value is found by power iteration, one or more steps per call, from the vector of the last call.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: int > 0, default 1: steps per call.

    Input and output shapes: those of the layer.

    Raises:
        ValueError: when the layer has neither a kernel nor embeddings, or `power_iterations` is not positive.

    Reference: Miyato et al. 2018.

    Example:

    >>> from dlcore.layers import Dense
    >>> SpectralNormalization(Dense(3))(ops.ones((4, 2)), training=True).shape
    (4, 3)
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int("SpectralNormalization", "power_iterations", power_iterations)

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        self.kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if self.kernel is None:
            raise ValueError(
                f'SpectralNormalization "{self.name}": the layer must have a kernel or embeddings. Got a '
                f'{type(self.layer).__name__} "{self.layer.name}", which has neither.'
            )
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]),
            TruncatedNormal(stddev=0.02),
            dtype=self.kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs, training=False):
        if training:
            vector_u, kernel = self.normalized_weights()
            # A kernel of zeros has no direction; it stays as it is.
            zero = ops.all(ops.equal(self.kernel, 0))
            self.vector_u.assign(ops.where(zero, self.vector_u, vector_u))
            self.kernel.assign(ops.where(zero, self.kernel, kernel))
        return ops.cast(self.layer(inputs), inputs.dtype)

    def normalized_weights(self):
        """The vector and the kernel after `power_iterations` steps: (1, columns) and the kernel's shape."""
        columns = self.kernel.shape[-1]
        weights = ops.reshape(self.kernel, [-1, columns])
        u = ops.convert_to_tensor(self.vector_u)
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(weights)), axis=None)
            u = ops.normalize(ops.matmul(v, weights), axis=None)
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.matmul(ops.matmul(v, weights), ops.transpose(u))
        return u, ops.reshape(ops.divide(weights, sigma), self.kernel.shape)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}
