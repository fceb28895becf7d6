// Walks a graph's nodes once, in order, while building the list that replaces them.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "program/graph.h"

namespace dlcore {

class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph), stands_for_(graph.values.size(), -1) {
    kept_.reserve(graph.nodes.size());
  }

  /// Calls visit(node) for each node, its inputs already those that stand for the old ones. visit may change the node;
  /// it returns false when the node is not to be kept (its outputs were replaced). A node that visit makes anew has the
  /// caller of the one in whose place it is, if it brings none.
  template <class Visit>
  void run(Visit visit) {
    std::vector<Node> nodes = std::move(graph_.nodes);
    for (Node& node : nodes) {
      for (int& value : node.in) value = current(value);
      caller_ = node.caller;
      if (!visit(node)) continue;
      if (!node.caller) node.caller = caller_;
      keep(std::move(node));
    }
    graph_.nodes = std::move(kept_);
    for (int& value : graph_.outputs) value = current(value);
    for (Assignment& assignment : graph_.assignments) assignment.value = current(assignment.value);
  }

  /// From here on, uses of `value` are uses of `replacement`.
  void replace(int value, int replacement) { stands_for_[value] = replacement; }

  /// A new node in front of the one being visited. Returns its values.
  std::vector<int> emit_all(const char* op, std::vector<int> in, Attrs attrs) {
    Specs specs;
    for (int value : in) specs.push_back(graph_.values[value].spec);
    Node node{&primitive(op), std::move(in), {}, std::move(attrs)};
    node.caller = caller_;
    for (const TensorSpec& spec : node.op->infer(specs, node.attrs)) node.out.push_back(add({spec, Source::Node}));
    std::vector<int> results = node.out;
    keep(std::move(node));
    return results;
  }
  /// The value of one that has one.
  int emit(const char* op, std::vector<int> in, Attrs attrs) {
    return emit_all(op, std::move(in), std::move(attrs)).front();
  }

  int constant(const Tensor& tensor) { return add({tensor.spec(), Source::Constant, -1, tensor}); }

  /// The node, already kept, that makes a value; null when an input, a constant, a variable or a later node does.
  const Node* maker(int value) const {
    const Value& v = graph_.values[value];
    if (v.source != Source::Node || v.index < 0 || v.index >= static_cast<int>(kept_.size())) return nullptr;
    const Node& node = kept_[v.index];
    for (int out : node.out)
      if (out == value) return &node;
    return nullptr;
  }

  Node* maker(int value) { return const_cast<Node*>(std::as_const(*this).maker(value)); }

  const TensorSpec& spec(int value) const { return graph_.values[value].spec; }

 private:
  int current(int value) const {
    while (stands_for_[value] >= 0) value = stands_for_[value];
    return value;
  }

  int add(Value value) {
    graph_.values.push_back(std::move(value));
    stands_for_.push_back(-1);
    return static_cast<int>(graph_.values.size()) - 1;
  }

  void keep(Node node) {
    for (int value : node.out) graph_.values[value].index = static_cast<int>(kept_.size());
    kept_.push_back(std::move(node));
  }

  Graph& graph_;
  std::vector<int> stands_for_;
  std::vector<Node> kept_;
  Caller caller_;  // of the node being visited
};

/// How many reads each value has: by nodes, outputs and assignments.
inline std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.values.size(), 0);
  for (const Node& node : graph.nodes)
    for (int value : node.in) ++uses[value];
  for (int value : graph.outputs) ++uses[value];
  for (const Assignment& assignment : graph.assignments) ++uses[assignment.value];
  return uses;
}

}  // namespace dlcore
