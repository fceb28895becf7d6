#include "program/graph.h"

#include <algorithm>

namespace dlcore {

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

Tensor Graph::constant(const Tensor& tensor) { return handle(add_value({tensor.spec(), Source::Constant, -1, tensor})); }

Tensor Graph::initial(const VariablePtr& variable) {
  for (std::size_t i = 0; i < variables.size(); ++i)
    if (variables[i] == variable) return handle(variable_values[i]);
  const int value = add_value({variable->spec(), Source::Variable, static_cast<int>(variables.size())});
  variables.push_back(variable);
  variable_values.push_back(value);
  return handle(value);
}

Tensor Graph::read(const VariablePtr& variable) {
  for (const Assignment& assignment : assignments)
    if (assignment.variable == variable) return handle(assignment.value);
  return initial(variable);
}

void Graph::assign(const VariablePtr& variable, const Tensor& value) {
  if (!(value.spec() == variable->spec()))
    throw value_error("Variable '", variable->name(), "' is ", variable->spec(), "; a value of ", value.spec(),
                      " can't be assigned to it.");
  const Tensor symbolic = value.is_symbolic() ? value : constant(value);
  for (Assignment& assignment : assignments) {
    if (assignment.variable != variable) continue;
    assignment.value = symbolic.value();
    return;
  }
  assignments.push_back({variable, symbolic.value()});
}

std::vector<Tensor> Graph::append(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs, const Specs& out) {
  Node node{&op, {}, {}, attrs};
  for (const Tensor& input : inputs) node.in.push_back(input.is_symbolic() ? input.value() : constant(input).value());
  std::vector<Tensor> results;
  for (const TensorSpec& spec : out) {
    node.out.push_back(add_value({spec, Source::Node, static_cast<int>(nodes.size())}));
    results.push_back(handle(node.out.back()));
  }
  nodes.push_back(std::move(node));
  return results;
}

std::vector<Tensor> Graph::gradient(std::span<const Tensor> targets, std::span<const Tensor> dtargets,
                                    std::span<const Tensor> sources) {
  std::vector<Record> records;
  records.reserve(nodes.size());
  for (const Node& node : nodes) {
    Record record{node.op, node.attrs, {}, {}};
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
          std::string text = "[";
          for (std::size_t i = 0; i < x.size(); ++i) text += (i ? "," : "") + str(x[i]);
          return text + "]";
        }
      },
      attr);
}

}  // namespace

std::string Graph::dump() const {
  std::ostringstream out;
  auto name = [&](int v) {
    const Value& value = values[v];
    switch (value.source) {
      case Source::Input:
        return input_names[value.index];
      case Source::Variable:
        return variables[value.index]->name();
      case Source::Constant:
        return value.spec.shape.rank() == 0 ? str(value.constant.item()) : str("const", v);
      case Source::Node:
        break;
    }
    return str("%", v);
  };
  for (const Node& node : nodes) {
    for (std::size_t i = 0; i < node.out.size(); ++i) out << (i ? ", " : "") << '%' << node.out[i] << ": " << values[node.out[i]].spec;
    out << " = " << node.op->name << '(';
    for (std::size_t i = 0; i < node.in.size(); ++i) out << (i ? ", " : "") << name(node.in[i]);
    for (const auto& [key, attr] : node.attrs.items()) out << ", " << key << '=' << text_of(attr);
    out << ")\n";
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) out << "output " << (i < output_names.size() ? output_names[i] : str(i)) << " = " << name(outputs[i]) << '\n';
  for (const Assignment& assignment : assignments) out << assignment.variable->name() << " <- " << name(assignment.value) << '\n';
  return out.str();
}

}  // namespace dlcore
