"""The pages of the API reference: each public object once, on the page of its area, with the other names it has.

The public names are those of Keras that are here (tests/golden/keras_api.json) and our OWN.
"""

import collections
import dataclasses
import functools
import inspect
import itertools
import json
import pathlib
import re
import types

import dlcore

KERAS = {
    space.replace("keras", "dlcore", 1): names
    for space, names in json.loads(
        (pathlib.Path(__file__).parents[1] / "tests/golden/keras_api.json").read_text()
    ).items()
}
# Names that Keras does not have.
OWN = {
    "dlcore": ["Functional", "GradientTape", "explain", "num_threads", "set_num_threads", "show_config"],
    "dlcore.config": ["float32_precision", "set_float32_precision"],
    "dlcore.datasets.digits": ["load_data"],
    "dlcore.datasets.speech_commands": ["load_data", "features"],
    "dlcore.datasets.spoken_digits": ["load_data", "features"],
    "dlcore.errors": dlcore.errors.__all__,
    "dlcore.plotting": dlcore.plotting.__all__,
    "dlcore.utils.batches": ["Batches"],
}
# Public methods that only the package calls, and those that all layers of images share: not listed with a class.
NOT_LISTED = set(
    "add_float_weight build_kernels build_weight convert_input convolve get_random_transformation inputs_in_rows "
    "integers keep kept note_read one_sequence product_with_weight quantization_entries quantized_product read run "
    "scale_axes statistics statistics_for step take_form take_quantization_config transform_bounding_boxes "
    "transform_labels transform_segmentation_masks transform_single_bounding_box transform_single_image "
    "transform_single_label transform_single_segmentation_mask with_adapters write".split()
)
# The pages in their order; a page holds what its areas do not. Areas of layers are packages, of ops namespaces.
PAGES = {
    "dlcore": "Top level",
    "dlcore.models": "Models",
    "dlcore.layers": "Layers: the base class",
    "dlcore.layers.core": "Layers: core",
    "dlcore.layers.convolutional": "Layers: convolutions",
    "dlcore.layers.pooling": "Layers: pooling",
    "dlcore.layers.rnn": "Layers: recurrent",
    "dlcore.layers.attention": "Layers: attention",
    "dlcore.layers.normalization": "Layers: normalization",
    "dlcore.layers.regularization": "Layers: regularization",
    "dlcore.layers.activations": "Layers: activations",
    "dlcore.layers.merging": "Layers: merging",
    "dlcore.layers.reshaping": "Layers: reshaping",
    "dlcore.layers.preprocessing": "Layers: preprocessing",
    "dlcore.layers.preprocessing.images": "Layers: preprocessing of images",
    "dlcore.ops": "Ops: tensors, control flow, gradients, transforms",
    "dlcore.ops.numpy": "Ops: NumPy's functions",
    "dlcore.ops.nn": "Ops: neural networks",
    "dlcore.ops.linalg": "Ops: linear algebra",
    "dlcore.ops.image": "Ops: images",
    "dlcore.activations": "Activations",
    "dlcore.losses": "Losses",
    "dlcore.metrics": "Metrics",
    "dlcore.optimizers": "Optimizers and schedules",
    "dlcore.callbacks": "Callbacks",
    "dlcore.initializers": "Initializers",
    "dlcore.regularizers": "Regularizers",
    "dlcore.constraints": "Constraints",
    "dlcore.random": "Random numbers",
    "dlcore.datasets": "Data sets",
    "dlcore.preprocessing": "Preprocessing",
    "dlcore.utils": "Utilities",
    "dlcore.saving": "Saving",
    "dlcore.export": "Export",
    "dlcore.applications": "Applications",
    "dlcore.quantizers": "Quantizers",
    "dlcore.dtype_policies": "Dtype policies",
    "dlcore.errors": "Errors",
    "dlcore.config": "Configuration",
    "dlcore.backend": "Backend",
    "dlcore.tree": "Trees",
    "dlcore.distillation": "Distillation",
    "dlcore.distribution": "Distribution",
    "dlcore.plotting": "Plotting",
    "dlcore.visualization": "Visualization",
    "dlcore.wrappers": "Wrappers for scikit-learn",
    "dlcore.legacy": "Legacy",
}
# What all ops have in common; tests/python/test_docstrings.py calls them to see whether it is true.
DTYPES_AND_ERRORS = (
    "Where nothing else is said, results are of the operands' dtype, or of that in which the operands meet "
    "(:py:obj:`~dlcore.backend.result_type`). Shapes that do not go together and axes that are not there raise a "
    "``ValueError``; what can't be made a tensor, and a dtype that an op does not take, a ``TypeError``; indices out "
    "of range an ``IndexError``."
)

# Likewise of the classes whose constructors check their arguments; tests/python/test_argument_errors.py.
CONSTRUCTOR_ERRORS = (
    "Constructors raise a ``ValueError`` for an argument that is not what it must be and for names that are not known, "
    "and a ``TypeError`` for one that is missing or not theirs."
)
CALL_ERRORS = (
    "Calls raise a ``ValueError`` for inputs of shapes that a layer does not take; it names the layer, the expected "
    "and the given shape."
)
OF_CHECKED_CLASSES = (
    "dlcore.layers",
    "dlcore.losses",
    "dlcore.metrics",
    "dlcore.optimizers",
    "dlcore.callbacks",
    "dlcore.initializers",
    "dlcore.regularizers",
    "dlcore.constraints",
    "dlcore.quantizers",
)


@dataclasses.dataclass
class Entry:
    """A public object under its main name, e.g. `dlcore.losses.MeanSquaredError`, and its other names."""

    name: str
    value: object
    aliases: list[str]

    @property
    def space(self):
        return self.name.rpartition(".")[0]

    @property
    def short(self):
        return self.name.rpartition(".")[2]

    @functools.cached_property
    def page(self):
        """The page whose name is the longest that leads to the object, by its code's or its public place."""
        places = [f"{self.value.__module__}."] if self.space == "dlcore.layers" else [f"{self.name}."]
        if self.space == "dlcore.ops":
            places = [alias for alias in self.aliases if alias.startswith("dlcore.ops.")] or places
        return max((page for page in PAGES for place in places if place.startswith(f"{page}.")), key=len)


def identity(value):
    """Equal for two names of the same object; bound methods are made anew each time they are asked for."""
    return (id(value.__self__), id(value.__func__)) if inspect.ismethod(value) else id(value)


def public_names():
    """Dict: full public name -> object."""
    found = {}
    for space in dict.fromkeys([*KERAS, *OWN]):
        try:
            module = functools.reduce(getattr, space.split(".")[1:], dlcore)
        except AttributeError:
            continue
        for name in sorted({*KERAS.get(space, ()), *OWN.get(space, ())}):
            value = getattr(module, name, None)
            if value is not None and not isinstance(value, types.ModuleType):
                found[f"{space}.{name}"] = value
    return found


@functools.cache
def entries():
    """List of the Entry of each public object."""
    names_of, value_of = collections.defaultdict(list), {}
    for name, value in public_names().items():
        names_of[identity(value)].append(name)
        value_of[identity(value)] = value
    result = []
    for key, names in names_of.items():
        own_name, home = value_of[key].__name__, getattr(value_of[key], "__module__", "")

        def rank(name, own_name=own_name, home=home):
            space, _, short = name.rpartition(".")
            return (short != own_name, abs(space.count(".") - 1), not f"{home}.".startswith(f"{space}."), name)

        names.sort(key=rank)
        result.append(Entry(names[0], value_of[key], names[1:]))
    return sorted(result, key=lambda entry: (entry.space, not inspect.isclass(entry.value), entry.short.lower()))


def documented_members(cls):
    """Methods and properties with a docstring of their own, of the class and of bases that are not documented."""
    public = [entry.value for entry in entries() if inspect.isclass(entry.value)]
    described = [base for base in cls.__mro__[1:] if base in public]
    members = {}
    for base in cls.__mro__:
        if any(issubclass(other, base) for other in described) or not base.__module__.startswith("dlcore"):
            continue
        for name, member in vars(base).items():
            member = getattr(member, "__func__", member)
            is_member = inspect.isfunction(member) or isinstance(member, (property, functools.cached_property))
            if not name.startswith("_") and name not in NOT_LISTED and is_member and member.__doc__:
                members.setdefault(name)
    return list(members)


def directive(entry):
    """The autodoc directive of an entry."""
    if not inspect.isclass(entry.value):
        return [f".. autofunction:: {entry.name}", ""]
    members = documented_members(entry.value)
    return [f".. autoclass:: {entry.name}", *([f"   :members: {', '.join(members)}"] if members else []), ""]


def heading(text, line):
    return [text, line * len(text), ""]


def first_paragraph(module):
    return inspect.getdoc(module).split("\n\n")[0].splitlines() if inspect.getdoc(module) else []


def page_lines(page, own):
    """The text of a page: its names at a glance, then each object, by namespace."""
    module = functools.reduce(getattr, page.split(".")[1:], dlcore)
    lines = [*heading(PAGES[page], "="), *first_paragraph(module), ""]
    space = "dlcore.layers" if page.startswith("dlcore.layers.") else page
    if space.startswith("dlcore.ops."):
        lines += [f"The functions of ``{space}``; those below ``dlcore.ops`` have both names.", ""]
    if space.startswith("dlcore.ops"):
        lines += [DTYPES_AND_ERRORS, ""]
    if space in OF_CHECKED_CLASSES:
        lines += [CONSTRUCTOR_ERRORS + (f" {CALL_ERRORS}" if space == "dlcore.layers" else ""), ""]
    if page == "dlcore":
        lines += [
            "Also here, but described elsewhere:",
            "",
            ", ".join([":py:obj:`~dlcore.Tensor`", *sorted(links_from_top_level())]) + ".",
            "",
        ]
    if len(own) > 3:
        titles = [entry.name.removeprefix(f"{page}.") if entry.space.startswith(page) else entry.short for entry in own]
        lines += [" · ".join(f":py:obj:`{t} <{entry.name}>`" for t, entry in zip(titles, own)), ""]
    spaces = sorted({entry.space for entry in own}, key=lambda name: (name.count("."), name))
    for name in spaces:
        if len(spaces) > 1 or name != space:
            lines += [*heading(f"``{name}``", "-")]
        lines += [f".. py:currentmodule:: {name}", ""]
        for entry in own:
            if entry.space == name:
                lines += directive(entry)
    return lines


def links_from_top_level():
    for entry in entries():
        for alias in entry.aliases:
            if alias.count(".") == 1:
                yield f":py:obj:`{alias.partition('.')[2]} <{entry.name}>`"


def keras_table():
    """Lines of Markdown: how many of Keras's names each namespace has here."""
    here = public_names()
    lines = ["| namespace | names in Keras | of these here |", "|---|---|---|"]
    for space, names in KERAS.items():
        modules = {name.rpartition(".")[2] for name in KERAS if name.rpartition(".")[0] == space}
        names = set(names) - modules
        if not names:
            continue
        present = sum(f"{space}.{name}" in here for name in names)
        lines.append(f"| `{space.replace('dlcore', 'keras', 1)}` | {len(names)} | {present} |")
    return lines


# One-line sections of docstrings, which run to the next of them or an empty line.
SECTION = re.compile(r"^(Input and output shapes|Input shapes?|Output shape|References?|Raises|Returns|Args|Example):")
ONE_LINE = re.compile(r"^(Input and output shapes|Input shapes?|Output shape|References?):(?: |$)")
CODE_OR_MARK = re.compile(r"(``.+?``)|`([^`]+)`|([*|])", re.DOTALL)
NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")


def as_restructured_text(match):
    """`name` stays, for a link where it is known; other `code` is code; * and | are themselves."""
    literal, code, mark = match.groups()
    if mark:
        return f"\\{mark}"
    return literal or (f"`{code}`" if NAME.fullmatch(code) else f"``{code}``")


def prepare_signature(app, what, name, obj, options, signature, return_annotation):
    """Classes are called as their __init__ says, whatever __new__ takes; exceptions are shown without arguments."""
    if isinstance(obj, type) and issubclass(obj, BaseException):
        return None
    if what == "class" and "__init__" in {name for base in obj.__mro__[:-1] for name in vars(base)}:
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        return str(inspect.Signature(parameters)), return_annotation
    return signature, return_annotation


def prepare_docstring(app, what, name, obj, options, lines):
    """Turns one-line sections into fields, keeps * and | as they are, and adds the other names of the object."""
    text, is_example, is_field = [], False, False
    for line in lines:
        is_example = line.lstrip().startswith(">>>") or (is_example and bool(line.strip()))
        if SECTION.match(line) or not line.strip():
            is_field = bool(ONE_LINE.match(line))
            line = ONE_LINE.sub(r":\1: ", line)
            line = ".. rubric:: Example" if line == "Example:" else line
        elif is_field:
            line = f"    {line}"
        elif line.startswith("    Others as "):  # the end of the arguments
            text.append((False, ""))
            line = line.strip()
        text.append((is_example, line))
    lines[:] = []
    for is_example, block in itertools.groupby(text, key=lambda pair: pair[0]):
        block = "\n".join(line for _, line in block)
        if not is_example:
            block = CODE_OR_MARK.sub(as_restructured_text, block)
        lines += block.split("\n")
    entry = by_name().get(name)
    # What a page of ops says of all its functions is not repeated for each.
    aliases = [alias for alias in entry.aliases if alias != f"{entry.page}.{entry.short}"] if entry else []
    if aliases:
        lines += ["", "Also " + ", ".join(f"``{alias}``" for alias in aliases) + "."]


@functools.cache
def by_name():
    return {entry.name: entry for entry in entries()}


def write(folder):
    """Writes the pages into a folder; those of an earlier build that are the same stay untouched."""
    folder.mkdir(exist_ok=True)
    texts = {}
    for page in PAGES:
        own = [entry for entry in entries() if entry.page == page]
        if own:
            texts[f"{page.removeprefix('dlcore.')}.rst"] = "\n".join(page_lines(page, own))
    toctree = [".. toctree::", "   :maxdepth: 1", "", *(f"   {name.removesuffix('.rst')}" for name in texts)]
    texts["keras_table.md"] = "\n".join([*keras_table(), ""])
    intro = "Each object stands once, under its main name; the other names that it has are noted there."
    texts["index.rst"] = "\n".join([*heading("API reference", "="), intro, "", *toctree, ""])
    for old in folder.iterdir():
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
