from dlcore import losses, metrics, ops, tree
from dlcore.models import Functional, Model
from dlcore.training.data import unpack_x_y_sample_weight


class Distiller(Model):
    """A student that is trained on the labels and on the outputs of its teacher, which stays as it is.

    loss = student_loss_weight * student loss + (1 - student_loss_weight) * weighted sum of the distillation losses.
    Calling it, `predict` and `evaluate` use the student.

    Args:
        teacher: trained model; it is frozen.
        student: model with inputs and outputs of the same shapes and dtypes.
        distillation_losses: `DistillationLoss` or list of them.
        distillation_loss_weights: list of their weights, default 1.
        student_loss_weight: float in [0, 1], default 0.5.
        name: default "distiller".

    Raises:
        ValueError: the models do not fit, or a weight is out of range.

    Reference: Hinton et al. 2015.

    Example:

    >>> teacher = Sequential([Input((3,)), layers.Dense(32, activation="relu"), layers.Dense(2)])
    >>> student = Sequential([Input((3,)), layers.Dense(2)])
    >>> distiller = Distiller(teacher, student, LogitsDistillation(temperature=4.0))
    >>> distiller.compile("adam", loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = distiller.fit(x, y, epochs=5, verbose=0)
    """

    _untracked = Model._untracked | {"_teacher_outputs", "_student_outputs"}

    def __init__(
        self,
        teacher,
        student,
        distillation_losses,
        distillation_loss_weights=None,
        student_loss_weight=0.5,
        name="distiller",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        if not isinstance(student_loss_weight, (int, float)) or not 0 <= student_loss_weight <= 1:
            raise ValueError(f"Distiller: student_loss_weight must lie in [0, 1]. Got {student_loss_weight!r}.")
        if distillation_losses is None:
            raise ValueError("Distiller: distillation_losses must be a DistillationLoss or a list of them. Got None.")
        several = isinstance(distillation_losses, (list, tuple))
        self.distillation_losses = list(distillation_losses) if several else [distillation_losses]
        weights = distillation_loss_weights if several and distillation_loss_weights is not None else None
        self.distillation_loss_weights = [1.0] * len(self.distillation_losses) if weights is None else list(weights)
        if len(self.distillation_loss_weights) != len(self.distillation_losses):
            raise ValueError(
                f"Distiller: got {len(self.distillation_loss_weights)} distillation_loss_weights for "
                f"{len(self.distillation_losses)} distillation_losses."
            )
        for loss in self.distillation_losses:
            loss.validate_model_compatibility(teacher, student)
        self.teacher = teacher
        self.student = student
        self.student_loss_weight = student_loss_weight
        teacher.trainable = False
        self._teacher_outputs = _with_outputs(teacher, [loss.teacher_layer_name for loss in self.distillation_losses])
        self._student_outputs = _with_outputs(student, [loss.student_layer_name for loss in self.distillation_losses])
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")
        self.built = student.built

    def compile(self, optimizer="adam", loss=None, metrics=None, **kwargs):
        """As Model.compile; `loss` is the student's on the labels, a structure of losses for several outputs."""
        if loss is None:
            raise ValueError("Distiller: compile() needs `loss`, the student's loss on the labels.")
        self._student_loss = tree.map_structure(losses.get, loss)
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)
        self._compile_arguments["loss"] = loss

    def compile_from_config(self, config):
        self._compile_with(config)

    def call(self, inputs, training=None):
        return self.student(inputs, training=training)

    def test_step(self, data):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self._track_loss(self.compute_loss(x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        student_loss = distillation_loss = ops.zeros(())
        if self.student_loss_weight > 0 and y is not None:
            parts = zip(*map(tree.flatten, (self._student_loss, y, y_pred)))
            student_loss = ops.sum(ops.stack([ops.mean(loss(true, pred)) for loss, true, pred in parts]))
        if self.student_loss_weight < 1:
            distillation_loss = self._distillation_loss(x, y_pred)
        total = self.student_loss_weight * student_loss + (1.0 - self.student_loss_weight) * distillation_loss
        self.student_loss_tracker.update_state(student_loss)
        self.distillation_loss_tracker.update_state(distillation_loss)
        self.total_loss_tracker.update_state(total)
        return total

    def _distillation_loss(self, x, y_pred):
        teacher = self._teacher_outputs(x, training=False)
        student = {None: y_pred}
        if any(loss.student_layer_name for loss in self.distillation_losses):
            student.update(_by_name(self._student_outputs(x, training=True), self.distillation_losses, "student"))
        teacher = _by_name(teacher, self.distillation_losses, "teacher")
        total = ops.zeros(())
        for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights):
            outputs = teacher[loss.teacher_layer_name], student[loss.student_layer_name]
            loss.validate_outputs(*outputs)
            value = ops.convert_to_tensor(loss.compute_loss(*outputs))
            if value.ndim:
                raise ValueError(
                    f"{type(loss).__name__}.compute_loss() must return a scalar. It returned shape {value.shape}."
                )
            total = total + weight * value
        return total

    def get_config(self):
        from dlcore.saving import serialize_keras_object

        return {
            "name": self.name,
            "teacher": serialize_keras_object(self.teacher),
            "student": serialize_keras_object(self.student),
            "distillation_losses": [serialize_keras_object(loss) for loss in self.distillation_losses],
            "distillation_loss_weights": self.distillation_loss_weights,
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config):
        from dlcore.saving import deserialize_keras_object

        config = {k: v for k, v in config.items() if k not in ("trainable", "dtype")}
        for key in ("teacher", "student"):
            config[key] = deserialize_keras_object(config[key])
        config["distillation_losses"] = [deserialize_keras_object(loss) for loss in config["distillation_losses"]]
        return cls(**config)


def _check_models(teacher, student):
    for what, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"Distiller: the {what} must be a Model. Got {type(model).__name__}.")
    for what in ("inputs", "outputs"):
        both = [getattr(model, what, None) if getattr(model, "built", False) else None for model in (teacher, student)]
        if None in both:
            continue
        for a, b in zip(*both):
            same_shape = len(a.shape) == len(b.shape) and all(
                m == n or None in (m, n) for m, n in zip(a.shape, b.shape)
            )
            if not same_shape or a.dtype != b.dtype or len(both[0]) != len(both[1]):
                raise ValueError(
                    f"Distiller: the {what} of teacher and student must agree. Got {a.shape} {a.dtype} and {b.shape} "
                    f"{b.dtype}."
                )


def _with_outputs(model, names):
    """The model with the outputs of the named layers beside its own, in a list; the model itself for no names."""
    names = _names(names)
    if not names:
        return model
    return Functional(model.inputs, [model.output, *(model.get_layer(name).output for name in names)])


def _names(names):
    return list(dict.fromkeys(name for name in names if name is not None))


def _by_name(outputs, distillation_losses, which):
    """{layer name, or None for the model's own outputs: outputs}."""
    names = _names([getattr(loss, f"{which}_layer_name") for loss in distillation_losses])
    return dict(zip([None, *names], outputs)) if names else {None: outputs}
