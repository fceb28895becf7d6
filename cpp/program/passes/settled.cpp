#include "program/passes/settled.h"

#include <algorithm>

#include "ops/convolution.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

std::vector<bool> settled_values(const Graph& graph) {
  std::vector<bool> settled(graph.values.size(), false);
  for (std::size_t v = 0; v < settled.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.source == Source::Variable)
      settled[v] = std::none_of(graph.assignments.begin(), graph.assignments.end(), [&](const Assignment& assignment) {
        return assignment.variable == graph.variables[value.index];
      });
    else
      settled[v] = value.source == Source::Constant;
  }
  for (const Node& node : graph.nodes) {
    bool all = !node.op->meets_processes;
    for (std::size_t i = 0; i < node.in.size(); ++i) all = all && (settled[node.in[i]] || !reads_bytes(*node.op, i));
    for (int value : node.out) settled[value] = all;
  }
  return settled;
}

void settle(Graph& graph) {
  const std::vector<bool> settled = settled_values(graph);
  const auto is_settled = [&](const Node& node) { return !node.out.empty() && settled[node.out[0]]; };
  const auto first = std::stable_partition(graph.nodes.begin(), graph.nodes.end(), is_settled);
  graph.settled = static_cast<int>(first - graph.nodes.begin());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (int value : graph.nodes[n].out) graph.values[value].index = static_cast<int>(n);
}

void transform_settled_filters(Graph& graph) {
  const std::vector<bool> settled = settled_values(graph);
  Rewriter rewriter(graph);
  rewriter.run([&](Node& node) {
    if (node.op->name != "conv2d" || !settled[node.in[1]]) return true;
    const TensorSpec &x = rewriter.spec(node.in[0]), &w = rewriter.spec(node.in[1]);
    if (!keeps_filters(x.dtype, conv_shape(x.shape, w.shape, rewriter.spec(node.out[0]).shape, node.attrs)))
      return true;
    node.in.push_back(rewriter.emit("conv2d_winograd_filters", {node.in[1]}, {}));
    node.attrs.set(kHasFilters, true);
    return true;
  });
}

}  // namespace dlcore
