"""DirectCall: `model(x)` on concrete data as one program, instead of op by op."""

import numpy as np

from dlcore import _core, tree
from dlcore.backend.tensors import Tensor, convert_to_tensor
from dlcore.backend.variables import recording
from dlcore.layers.holder import structure_revision
from dlcore.layers.layer import Layer, call_context

# The codes of NumPy's dtypes without a tensor: objects and strings, and the integers and floats that are widened.
_NO_TENSORS = "OSUhHILQg"


class DirectCall:
    """Mixed into models that are graphs of layers.

    The program serves where nothing records the call (no tape, no trace, no outer layer), the outputs carry no masks,
    and every layer is one of the package: code of the user's own might do more than compute.
    """

    _plain_revision = None
    _is_plain = False

    def __call__(self, *args, **kwargs):
        if len(args) == 1 and not kwargs and self._may_run_as_program(args[0]):
            return self._run_as_program(args[0])
        return super().__call__(*args, **kwargs)

    def _may_run_as_program(self, x):
        if recording.tapes or call_context.depth or _core.Graph.current() is not None:
            return False
        if type(x) is not np.ndarray and type(x) is not Tensor:
            return False
        if type(x) is np.ndarray and x.dtype.char in _NO_TENSORS:
            return False
        if type(x) is Tensor and hasattr(x, "_keras_mask"):
            return False
        if self._plain_revision != structure_revision():
            self._is_plain = self._has_only_own_layers()
            self._plain_revision = structure_revision()
        return self._is_plain

    def _has_only_own_layers(self):
        layers = self._flatten_layers(include_self=False)
        return (
            self.built
            and self._functional is not None
            and self._functional._front is None
            and self._functional.is_traceable
            and all(output._mask is None for output in self._functional.outputs)
            and all(type(layer).__module__.startswith("dlcore.") for layer in [self, *layers])
            and not any(type(layer).__name__ == "Lambda" or layer.activity_regularizer for layer in layers)
        )

    def _run_as_program(self, x):
        programs = self._step_programs("call")
        step = programs.known(x) or programs.get(x)
        outputs = step.program.run([x if type(x) is np.ndarray else convert_to_tensor(x, step.program.inputs[0][1])])
        if type(step.structure) is int:
            return outputs[0]
        return tree.map_structure(lambda i: None if i is None else outputs[i], step.structure)

    def _trace_call(self, data):
        return Layer.__call__(self, data), {}
