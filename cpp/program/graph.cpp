#include "program/graph.h"

#include <algorithm>
#include <atomic>

namespace dlcore {

namespace {

std::vector<std::shared_ptr<Graph>>& recording_stack() {
  thread_local std::vector<std::shared_ptr<Graph>> stack;
  return stack;
}

std::atomic<int> regions{0};
thread_local int current_region = 0;

}  // namespace

RematRegion::RematRegion() : outer_(current_region) {
  if (outer_ == 0) current_region = ++regions;
}
RematRegion::~RematRegion() { current_region = outer_; }

Unrecorded::Unrecorded() { recording_stack().push_back(nullptr); }
Unrecorded::~Unrecorded() { recording_stack().pop_back(); }

std::shared_ptr<Graph> Graph::current() { return recording_stack().empty() ? nullptr : recording_stack().back(); }
void Graph::begin_recording() { recording_stack().push_back(shared_from_this()); }
void Graph::end_recording() { std::erase(recording_stack(), shared_from_this()); }

int Graph::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<int>(values.size()) - 1;
}

Tensor Graph::handle(int value) { return Tensor::symbolic(shared_from_this(), value, values[value].spec); }

Tensor Graph::input(const TensorSpec& spec, std::string name) {
  const int value = add_value({spec, Source::Input, static_cast<int>(inputs.size())});
  inputs.push_back(value);
  input_names.push_back(std::move(name));
  return handle(value);
}

Tensor Graph::constant(const Tensor& tensor) {
  return handle(add_value({tensor.spec(), Source::Constant, -1, tensor}));
}

int Graph::value_of(const Tensor& tensor) {
  if (!tensor.is_symbolic()) return constant(tensor).value();
  if (tensor.graph().get() != this)
    throw value_error("A ", tensor.spec(),
                      " was traced in another function; pass values out of a traced function only as its results.");
  return tensor.value();
}

Graph::Known& Graph::known(const VariablePtr& variable) {
  const int next = static_cast<int>(variables.size());
  const auto [at, is_new] = known_.try_emplace(variable.get(), Known{next});
  if (is_new) {
    variables.push_back(variable);
    variable_values.push_back(add_value({variable->spec(), Source::Variable, next}));
  }
  return at->second;
}

Tensor Graph::initial(const VariablePtr& variable) { return handle(variable_values[known(variable).variable]); }

Tensor Graph::read(const VariablePtr& variable) {
  const Known& at = known(variable);
  return handle(at.assignment < 0 ? variable_values[at.variable] : assignments[at.assignment].value);
}

void Graph::assign(const VariablePtr& variable, const Tensor& value) {
  if (!(value.spec() == variable->spec()))
    throw value_error("Variable '", variable->name(), "' is ", variable->spec(), "; a value of ", value.spec(),
                      " can't be assigned to it.");
  const int assigned = value_of(value);
  Known& at = known(variable);
  if (at.assignment < 0) {
    at.assignment = static_cast<int>(assignments.size());
    assignments.push_back({at.variable, assigned});
  } else {
    assignments[at.assignment].value = assigned;
  }
}

void Graph::set_outputs(std::span<const Tensor> tensors, std::vector<std::string> names) {
  outputs.clear();
  for (const Tensor& tensor : tensors) outputs.push_back(value_of(tensor));
  output_names = std::move(names);
}

std::vector<Tensor> Graph::append(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs,
                                  const Specs& out) {
  Node node{&op, {}, {}, attrs, current_region, current_caller()};
  for (const Tensor& input : inputs) node.in.push_back(value_of(input));
  std::vector<Tensor> results;
  for (const TensorSpec& spec : out) {
    node.out.push_back(add_value({spec, Source::Node, static_cast<int>(nodes.size())}));
    results.push_back(handle(node.out.back()));
  }
  nodes.push_back(std::move(node));
  return results;
}

std::vector<Tensor> Graph::gradient(std::span<const Tensor> targets, std::span<const Tensor> dtargets,
                                    std::span<const Tensor> sources, std::ptrdiff_t first, std::ptrdiff_t last) {
  const std::ptrdiff_t count = std::ssize(nodes);
  if (last < 0) last = count;
  if (first < 0 || first > last || last > count)
    throw index_error("Gradients go through nodes [first, last) of the ", count, " of the graph; got [", first, ", ",
                      last, ").");
  std::vector<Record> records;
  records.reserve(static_cast<std::size_t>(last - first));
  for (std::ptrdiff_t i = first; i < last; ++i) {
    const Node& node = nodes[i];
    Record record{node.op, node.attrs, {}, {}, node.region, node.caller};
    for (int value : node.in) record.in.push_back(handle(value));
    for (int value : node.out) record.out.push_back(handle(value));
    records.push_back(std::move(record));
  }
  return dlcore::gradient(records, targets, dtargets, sources);
}

namespace {

std::string text_of(const Attr& attr) {
  return std::visit(
      [](const auto& x) -> std::string {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, bool>) {
          return x ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return '"' + x + '"';
        } else if constexpr (std::is_arithmetic_v<T>) {
          return str(x);
        } else {
          std::ostringstream text;
          for (std::size_t i = 0; i < x.size(); ++i) text << (i ? "," : "[") << x[i];
          return x.empty() ? "[]" : text.str() + "]";
        }
      },
      attr);
}

}  // namespace

std::string Graph::describe(int v) const {
  const Value& value = values[v];
  switch (value.source) {
    case Source::Input:
      return input_names[value.index];
    case Source::Variable:
      return variables[value.index]->name();
    case Source::Constant:
      return value.spec.shape.rank() == 0 ? str(value.constant.item()) : str("const", v);
    case Source::Node:
    case Source::Dropped:
      break;
  }
  return str("%", v);
}

std::string Graph::describe(const Node& node) const {
  std::ostringstream text;
  for (std::size_t i = 0; i < node.out.size(); ++i)
    text << (i ? ", %" : "%") << node.out[i] << ": " << values[node.out[i]].spec;
  text << " = " << node.op->name << '(';
  for (std::size_t i = 0; i < node.in.size(); ++i) text << (i ? ", " : "") << describe(node.in[i]);
  for (const auto& [key, attr] : node.attrs.items()) text << ", " << key << '=' << text_of(attr);
  text << ')';
  return text.str();
}

std::string Graph::describe_results() const {
  std::string text;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    text += str("output ", i < output_names.size() ? output_names[i] : str(i), " = ", describe(outputs[i]), '\n');
  for (const Assignment& assignment : assignments)
    text += variables[assignment.variable]->name() + " <- " + describe(assignment.value) + '\n';
  return text;
}

std::string Graph::dump() const {
  std::string text;
  for (const Node& node : nodes) text += describe(node) + '\n';
  return text + describe_results();
}

namespace {

bool fits(const TensorSpec& declared, const TensorSpec& given) {
  if (declared.dtype != given.dtype || declared.shape.rank() != given.shape.rank()) return false;
  for (int axis = 0; axis < declared.shape.rank(); ++axis)
    if (declared.shape[axis] != Shape::kUnknown && declared.shape[axis] != given.shape[axis]) return false;
  return given.shape.known();
}

}  // namespace

Graph specialise(const Graph& source, std::span<const TensorSpec> inputs) {
  Graph graph(source);
  if (inputs.size() != graph.inputs.size()) {
    std::string expected;
    for (std::size_t i = 0; i < graph.inputs.size(); ++i)
      expected += str(i ? ", '" : ": '", graph.input_names[i], "' ", graph.values[graph.inputs[i]].spec);
    throw value_error("The function has ", graph.inputs.size(), " inputs", expected, "; got ", inputs.size(), ".");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    TensorSpec& declared = graph.values[graph.inputs[i]].spec;
    if (!fits(declared, inputs[i]))
      throw value_error("The input '", graph.input_names[i], "' is ", declared, " (None: any size); got ", inputs[i],
                        !inputs[i].shape.known()            ? ". Its sizes must be known."
                        : declared.dtype != inputs[i].dtype ? ". Cast it."
                                                            : ". Reshape it.");
    declared = inputs[i];
  }
  for (const Node& node : graph.nodes) {
    Specs in;
    for (int value : node.in) in.push_back(graph.values[value].spec);
    try {
      const Specs out = infer_specs(*node.op, in, node.attrs);
      for (std::size_t i = 0; i < out.size(); ++i) graph.values[node.out[i]].spec = out[i];
    } catch (const Error& error) {
      throw named(error, node.caller);
    }
  }
  return graph;
}

}  // namespace dlcore
