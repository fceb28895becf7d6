#include <cstring>
#include <unordered_map>

#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

bool same_constant(const Tensor& a, const Tensor& b) {
  return a.spec() == b.spec() && std::memcmp(a.bytes(), b.bytes(), a.spec().bytes()) == 0;
}

// Equal constants get one value (compared by content, small ones only).
void merge_constants(Graph& graph) {
  std::vector<int> stands_for(graph.values.size());
  std::vector<int> kept;
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    stands_for[v] = static_cast<int>(v);
    const Value& value = graph.values[v];
    if (value.source != Source::Constant || value.spec.bytes() > 64) continue;
    for (int other : kept)
      if (same_constant(value.constant, graph.values[other].constant)) stands_for[v] = other;
    if (stands_for[v] == static_cast<int>(v)) kept.push_back(static_cast<int>(v));
  }
  for (Node& node : graph.nodes)
    for (int& value : node.in) value = stands_for[value];
}

struct NodeHash {
  std::size_t operator()(const Node& node) const {
    std::size_t hash = std::hash<const void*>{}(node.op);
    for (int value : node.in) hash = hash * 1000003 + static_cast<std::size_t>(value);
    return hash;
  }
};

struct NodeEqual {
  bool operator()(const Node& a, const Node& b) const { return a.op == b.op && a.in == b.in && a.attrs == b.attrs; }
};

void remove_barriers(Graph& graph) {
  Rewriter rewriter(graph);
  rewriter.run([&](const Node& node) {
    if (node.op->name != "optimization_barrier") return true;
    rewriter.replace(node.out[0], node.in[0]);
    return false;
  });
}

}  // namespace

// Every primitive is a pure function of its inputs (random numbers too: of their seed), so equal nodes are one.
void merge_common_nodes(Graph& graph) {
  merge_constants(graph);
  std::unordered_map<Node, std::vector<int>, NodeHash, NodeEqual> seen;
  Rewriter rewriter(graph);
  rewriter.run([&](Node& node) {
    const auto [at, fresh] = seen.emplace(node, node.out);
    if (fresh) return true;
    for (std::size_t i = 0; i < node.out.size(); ++i) rewriter.replace(node.out[i], at->second[i]);
    return false;
  });
  remove_barriers(graph);
}

}  // namespace dlcore
