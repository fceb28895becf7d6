#include "program/graph.h"

#include "bindings/bindings.h"
#include "dlcore/program.h"
#include "ops/custom_gradient.h"

namespace dlcore::python {

namespace {

using OptionalTensors = std::vector<std::optional<Tensor>>;

// None stands for an empty Tensor: no gradient flows.
OptionalTensors optional_list(const std::vector<Tensor>& tensors) {
  OptionalTensors list;
  for (const Tensor& tensor : tensors) list.push_back(tensor ? std::optional<Tensor>(tensor) : std::nullopt);
  return list;
}

std::vector<Tensor> tensors_or_empty(const OptionalTensors& list) {
  std::vector<Tensor> tensors;
  for (const auto& item : list) tensors.push_back(item.value_or(Tensor()));
  return tensors;
}

std::shared_ptr<Program> compile(Graph& graph, const std::vector<Tensor>& outputs, std::vector<std::string> names) {
  graph.set_outputs(outputs, std::move(names));
  py::gil_scoped_release release;
  return Program::compile(graph);
}

/// The gradient function calls Python: function(key, inputs, outputs, gradients) with None where no gradient flows.
void set_python_gradient_function(const py::function& function) {
  // Leaked: the interpreter may be gone when static objects are destroyed.
  const auto& held = *new py::function(function);
  set_gradient_function([&held](std::int64_t key, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                                std::span<const Tensor> gradients) {
    py::gil_scoped_acquire acquire;
    auto list = [](std::span<const Tensor> tensors) { return std::vector<Tensor>(tensors.begin(), tensors.end()); };
    const py::object result = held(key, list(inputs), list(outputs), optional_list(list(gradients)));
    return tensors_or_empty(result.cast<OptionalTensors>());
  });
}

/// A Scope, such as RematRegion, while a `with` block runs.
template <class Scope>
class Block {
 public:
  void enter() { scope_.emplace(); }
  void exit() { scope_.reset(); }

 private:
  std::optional<Scope> scope_;
};

template <class Scope>
void define_block(py::module_& module, const char* name, const char* doc) {
  py::class_<Block<Scope>>(module, name, doc)
      .def(py::init<>())
      .def("__enter__", &Block<Scope>::enter)
      .def("__exit__", [](Block<Scope>& scope, const py::args&) { scope.exit(); });
}

/// A CallerScope while a `with` block runs.
class CallerBlock {
 public:
  explicit CallerBlock(std::string name) : caller_(std::make_shared<std::string>(std::move(name))) {}
  void enter() { scope_.emplace(caller_); }
  void exit() { scope_.reset(); }

 private:
  Caller caller_;
  std::optional<CallerScope> scope_;
};

}  // namespace

void init_graph(py::module_& module) {
  module.def("set_gradient_function", &set_python_gradient_function, py::arg("function"),
             "Sets what gives the gradients of \"custom_gradient\" nodes.");
  py::class_<Graph, std::shared_ptr<Graph>>(module, "Graph")
      .def(py::init<>())
      .def("__enter__",
           [](const std::shared_ptr<Graph>& g) {
             g->begin_recording();
             return g;
           })
      .def("__exit__", [](const std::shared_ptr<Graph>& g, const py::args&) { g->end_recording(); })
      .def(
          "input",
          [](Graph& g, const py::object& shape, const std::string& dtype, std::string name) {
            return g.input({dtype_from_name(dtype), shape_of(shape)}, std::move(name));
          },
          py::arg("shape"), py::arg("dtype"), py::arg("name"))
      .def("constant", &Graph::constant, py::arg("tensor"))
      .def(
          "gradient",
          [](Graph& g, const std::vector<Tensor>& targets, const std::vector<Tensor>& sources,
             const OptionalTensors& dtargets, std::ptrdiff_t first, std::ptrdiff_t last) {
            return optional_list(g.gradient(targets, tensors_or_empty(dtargets), sources, first, last));
          },
          py::arg("targets"), py::arg("sources"), py::arg("dtargets") = OptionalTensors{}, py::arg("first") = 0,
          py::arg("last") = -1)
      .def_property_readonly("node_count", [](const Graph& g) { return g.nodes.size(); })
      .def("compile", &compile, py::arg("outputs"), py::arg("names") = std::vector<std::string>{})
      .def("assigned_variables",
           [](const Graph& g) {
             std::vector<VariablePtr> variables;
             for (const Assignment& assignment : g.assignments) variables.push_back(g.variables[assignment.variable]);
             return variables;
           })
      .def("dump", &Graph::dump)
      .def_static("current", &Graph::current);

  define_block<RematRegion>(module, "RematRegion",
                            "`with RematRegion():` what is recorded is computed again for gradients.");
  define_block<Unrecorded>(module, "Unrecorded",
                           "`with Unrecorded():` what is read and assigned is so at once, also while a function is "
                           "traced.");
  py::class_<CallerBlock>(module, "CallerScope",
                          "`with CallerScope(name):` what is recorded comes from the layer, loss or metric `name`.")
      .def(py::init<std::string>(), py::arg("name"))
      .def("__enter__", &CallerBlock::enter)
      .def("__exit__", [](CallerBlock& block, const py::args&) { block.exit(); });
  py::class_<Tape>(module, "Tape")
      .def(py::init<>())
      .def("start", &Tape::start)
      .def("stop", &Tape::stop)
      .def("watch", &Tape::watch, py::arg("tensor"))
      .def(
          "gradient",
          [](const Tape& tape, const std::vector<Tensor>& targets, const std::vector<Tensor>& sources,
             const OptionalTensors& dtargets) {
            return optional_list(gradient(tape.records(), targets, tensors_or_empty(dtargets), sources));
          },
          py::arg("targets"), py::arg("sources"), py::arg("dtargets") = OptionalTensors{});
}

}  // namespace dlcore::python
