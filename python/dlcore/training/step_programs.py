"""Steps as programs: a step function is traced once for each signature of its data and then runs without Python."""

import gc
import itertools
import math
from collections import OrderedDict

import numpy as np

from dlcore import _core, tree
from dlcore.backend import dtypes
from dlcore.backend.strings import Strings, is_text
from dlcore.backend.tensors import Tensor, convert_to_tensor
from dlcore.backend.variables import noting_new
from dlcore.layers.holder import structure_revision
from dlcore.layers.layer import building
from dlcore.training.data import arrays_of

# Programs kept per step function; each holds the memory of its intermediate values.
_KEPT = 64
# Bytes of new programs after which the next one begins with a garbage collection.
_COLLECTED_EVERY = 64 << 20
_allocated = 0


class StepProgram:
    """One traced step.

    Args:
        program: what runs.
        structure: the structure of the step's results, with an index into the outputs as leaves.
        logs: dict of name -> variable that each run leaves the value in (logs that are no metrics).
    """

    def __init__(self, program, structure=None, logs=None):
        self.program = program
        self.outputs = program.outputs
        # Of each input and output, where all have as many; else None.
        lengths = {shape[0] if shape else None for shape, _ in (*program.inputs, *self.outputs)}
        self.rows = lengths.pop() if len(lengths) == 1 else None
        self.structure = structure
        self.logs = logs or {}

    def read_logs(self):
        return {name: variable.concrete().item() for name, variable in self.logs.items()}


class ResultsProgram:
    """The results of metrics, read from their variables by a program of its own.

    Args:
        compute: () -> dict of name -> tensor.
    """

    def __init__(self, compute):
        with _core.Graph() as graph:
            results = {name: convert_to_tensor(value) for name, value in compute().items()}
            self._program = graph.compile(list(results.values()))
        self.names = list(results)

    def __call__(self):
        values = self._program.run([])
        return {name: x.item() if not x.ndim else x.numpy() for name, x in zip(self.names, values)}


class StepPrograms:
    """The programs of one step function (train, test or predict) of a model, by signature.

    Args:
        trace: (data of symbolic tensors) -> structure of results, for outputs; and dict of logs.
        input_dtypes: (structure of arrays) -> list of the dtypes that the program takes the arrays in.
    """

    def __init__(self, trace, input_dtypes):
        self._trace = trace
        self._input_dtypes = input_dtypes
        self._programs = OrderedDict()
        self._revision = structure_revision()
        # Functions (arrays of a batch) -> array: what programs take in the place of strings; None: not known yet.
        self._lookups = None

    def with_arrays(self, structure):
        """The program for a batch, and the arrays it takes: the numbers, then what layers make of the strings."""
        arrays = arrays_of(structure)
        numbers = [a for a in arrays if not is_text(a)]
        if len(numbers) == len(arrays):
            return self.get(structure), arrays
        with building:
            self._forget_stale()
            if self._lookups is None:
                lookups = []
                self._traced(structure, None, lookups)
                self._lookups = lookups  # only now: tracing may fail
            looked_up = [lookup(arrays) for lookup in self._lookups]
        return self.get(structure, looked_up=looked_up), numbers + looked_up

    def get(self, structure, rows=None, looked_up=()):
        """The program for arrays like these; with rows, for batches of so many of their rows."""
        key = (_core.placement(), *(_signature(part, rows) for part in (structure, *looked_up)))
        return self._found(key) or self._made(key, structure, rows)

    def known(self, array):
        """The program for all rows of an array like this, or None where there was none such yet."""
        return self._found((_core.placement(), (array.shape, array.dtype)))

    def _found(self, key):
        return self._programs.get(key) if self._revision == structure_revision() else None

    def _made(self, key, structure, rows):
        with building:
            self._forget_stale()
            if key not in self._programs:  # else another thread has made it meanwhile
                self._programs[key] = self._make(structure, rows)
            if len(self._programs) > _KEPT:
                self._programs.popitem(last=False)
            return self._programs[key]

    def _forget_stale(self):
        if self._revision != structure_revision():
            self._programs.clear()
            self._lookups = None
            self._revision = structure_revision()

    def _make(self, structure, rows):
        global _allocated
        _collect_dropped()
        graph, results, variables = self._traced(structure, rows, [])
        tensors = [x for x in tree.flatten(results) if isinstance(x, Tensor)]
        numbers = iter(range(len(tensors)))
        places = tree.map_structure(lambda x: next(numbers) if isinstance(x, Tensor) else None, results)
        program = graph.compile(tensors)
        state = sum(math.prod(variable.shape) for variable in graph.assigned_variables())
        _allocated += program.arena_bytes + 4 * state + (1 << 20)
        return StepProgram(program, places, variables)

    def _traced(self, structure, rows, lookups):
        """The graph of the step, its results and the variables of its logs.

        Where the step has made variables, it is traced again: code that runs only when there are none yet, and gives
        them values, is no part of it.
        """
        found = len(lookups)
        with noting_new() as new:
            traced = self._traced_once(structure, rows, lookups)
        if not any(variable.made_in_trace for variable in new):
            return traced
        del lookups[found:]
        return self._traced_once(structure, rows, lookups)

    def _traced_once(self, structure, rows, lookups):
        dtypes_of_inputs = iter(self._input_dtypes(structure))
        places = itertools.count()
        graph = _core.Graph()
        with graph:

            def symbol(a):
                if a is None:
                    return None
                place, dtype = next(places), next(dtypes_of_inputs)
                if is_text(a):
                    return Strings(a.shape, a, lambda arrays: arrays[place], lookups)
                shape = a.shape if rows is None else (rows, *a.shape[1:])
                return graph.input(shape, dtype, "data")

            results, logs = self._trace(tree.map_structure(symbol, structure))
            variables = {name: _store(value, name) for name, value in logs.items()}
        return graph, results, variables


def _signature(structure, rows):
    """What tells apart the programs of structures of arrays: their form, and the arrays' shapes and dtypes."""
    if isinstance(structure, dict):
        return dict, *((key, _signature(value, rows)) for key, value in structure.items())
    if isinstance(structure, (list, tuple)):
        return type(structure), *(_signature(value, rows) for value in structure)
    if structure is None:
        return None
    return structure.shape if rows is None else (rows, *structure.shape[1:]), structure.dtype


def _collect_dropped():
    """Collects garbage when programs have taken much memory since the last time: a dropped model is a cycle, whose
    memory Python's collector does not see."""
    global _allocated
    if _allocated > _COLLECTED_EVERY:
        _allocated = 0
        gc.collect()


def _store(value, name):
    """A variable that the program leaves a value in."""
    value = convert_to_tensor(value)
    if value.ndim:
        from dlcore import ops

        value = ops.mean(value)
    value = convert_to_tensor(value, "float32")
    variable = _core.Variable(_core.tensor(np.zeros((), "float32")), name)
    variable.assign(value)
    return variable


def input_dtype(array, expected=None):
    """The dtype in which a program takes an array: the default float for floats, int32 for small integers.

    Args:
        expected: the dtype that the model is known to want, if any.
    """
    if expected is not None:
        return expected
    name = array.dtype.name
    if array.dtype.kind == "f" or name == "bfloat16":
        return dtypes.config.floatx()
    return "int32" if name in ("uint8", "int8") else name
