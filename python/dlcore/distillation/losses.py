"""How far a student's outputs are from its teacher's."""

from dlcore import losses, ops, tree


class DistillationLoss:
    """Base of the losses of a `Distiller`: implement `compute_loss(teacher_outputs, student_outputs)`, a scalar."""

    teacher_layer_name = None
    student_layer_name = None

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        """A scalar."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement compute_loss(teacher_outputs, student_outputs)."
        )

    def validate_outputs(self, teacher_outputs, student_outputs):
        """A ValueError where the outputs are of different structures."""
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher, student):
        """A ValueError where the models do not have what the loss needs."""


class _LossesOfOutputs(DistillationLoss):
    """A loss for each output, in the structure of the outputs; None for outputs that do not count."""

    def __init__(self, loss):
        self.loss = tree.map_structure(losses.get, loss)
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(f"{type(self).__name__}: at least one loss must not be None. Got loss={loss!r}.")

    def validate_outputs(self, teacher_outputs, student_outputs):
        super().validate_outputs(teacher_outputs, student_outputs)
        tree.assert_same_structure(self.loss, teacher_outputs)

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        structures = zip(*map(tree.flatten, (self.loss, teacher_outputs, student_outputs)))
        values = [self._of_one(loss, teacher, student) for loss, teacher, student in structures if loss is not None]
        return ops.sum(ops.stack(values))

    def _of_one(self, loss, teacher, student):
        return ops.mean(loss(teacher, student))

    def get_config(self):
        return {"loss": tree.map_structure(losses.serialize, self.loss)}

    @classmethod
    def from_config(cls, config):
        def is_loss(part):
            return isinstance(part, str) or (isinstance(part, dict) and "class_name" in part)

        loss = tree.traverse(lambda part: losses.deserialize(part) if is_loss(part) else None, config["loss"])
        return cls(**{**config, "loss": loss})


class FeatureDistillation(_LossesOfOutputs):
    """The student's outputs, or those of one of its layers, should equal the teacher's.

    Args:
        loss: loss or its name, default `"mse"`; for several outputs a structure like theirs, None to leave one out.
        teacher_layer_name, student_layer_name: layers whose outputs are compared, default None: the models' outputs.

    Reference: Romero et al. 2015.
    """

    def __init__(self, loss="mse", teacher_layer_name=None, student_layer_name=None):
        super().__init__(loss)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def validate_model_compatibility(self, teacher, student):
        for what, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if name is None:
                continue
            if not getattr(model, "inputs", None):
                raise ValueError(
                    f"FeatureDistillation takes outputs of layers from Functional and Sequential models only; "
                    f"the {what} is a {type(model).__name__}. Leave {what}_layer_name out, or use LogitsDistillation."
                )
            try:
                model.get_layer(name)
            except ValueError as error:
                raise ValueError(f"In the {what}: {error}") from None

    def get_config(self):
        names = {"teacher_layer_name": self.teacher_layer_name, "student_layer_name": self.student_layer_name}
        return {**super().get_config(), **names}


class LogitsDistillation(_LossesOfOutputs):
    """The student's class probabilities should equal the teacher's, both made softer by a temperature.

    Args:
        temperature: float > 0, default 3.0: logits are divided by it.
        loss: `"kl_divergence"` (default), of softmax(logits / temperature) and times temperature^2; or another loss, of
            logits / temperature; a structure for several outputs.

    Reference: Hinton et al. 2015.
    """

    def __init__(self, temperature=3.0, loss="kl_divergence"):
        super().__init__(loss)
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or temperature <= 0:
            raise ValueError(f"LogitsDistillation: temperature must be a number > 0. Got temperature={temperature!r}.")
        self.temperature = temperature

    def _of_one(self, loss, teacher, student):
        teacher, student = teacher / self.temperature, student / self.temperature
        if loss is losses.kl_divergence or isinstance(loss, losses.KLDivergence):
            return super()._of_one(loss, ops.softmax(teacher), ops.softmax(student)) * self.temperature**2
        return super()._of_one(loss, teacher, student)

    def get_config(self):
        return {"temperature": self.temperature, **super().get_config()}
