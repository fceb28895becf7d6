#include "program/passes/settled.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "ops/convolution.h"
#include "ops/matmul.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

std::vector<bool> settled_values(const Graph& graph) {
  std::vector<bool> settled(graph.values.size(), false);
  for (std::size_t v = 0; v < settled.size(); ++v)
    settled[v] = graph.values[v].source == Source::Constant || graph.values[v].source == Source::Variable;
  for (const Assignment& assignment : graph.assignments) settled[graph.variable_values[assignment.variable]] = false;
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

namespace {

bool keeps_filters(const Rewriter& rewriter, const Node& conv) {
  const TensorSpec &x = rewriter.spec(conv.in[0]), &w = rewriter.spec(conv.in[1]), &y = rewriter.spec(conv.out[0]);
  return keeps_filters(x.dtype, conv_shape(x.shape, w.shape, y.shape, conv.attrs));
}

bool keeps_panels(const Rewriter& rewriter, const Node& product) {
  const std::array in{rewriter.spec(product.in[0]), rewriter.spec(product.in[1])};
  return keeps_panels(in, rewriter.spec(product.out[0]), product.attrs);
}
bool keeps_tiles(const Rewriter& rewriter, const Node& product) {
  const std::array in{rewriter.spec(product.in[0]), rewriter.spec(product.in[1])};
  return keeps_tiles(in, rewriter.spec(product.out[0]), product.attrs);
}

}  // namespace

void prepare_settled_weights(Graph& graph) {
  const std::vector<bool> settled = settled_values(graph);
  using Geometry = std::vector<std::int64_t>;  // transposed or not; strides and dilation
  using Made = std::map<std::pair<int, Geometry>, int>;
  Made panels, tiles, filters;  // of weights
  Rewriter rewriter(graph);
  rewriter.run([&](Node& node) {
    const auto take = [&](Made& made, const char* op, Attrs attrs, Geometry geometry, const char* has) {
      const auto [at, is_new] = made.try_emplace({node.in[1], std::move(geometry)}, -1);
      if (is_new) at->second = rewriter.emit(op, {node.in[1]}, std::move(attrs));
      node.in.push_back(at->second);
      node.attrs.set(has, true);
    };
    if (node.op->name == "conv2d" && settled[node.in[1]] && keeps_filters(rewriter, node)) {
      const Geometry strides = node.attrs.integers("strides", {1, 1}),
                     dilation = node.attrs.integers("dilation", {1, 1});
      take(filters, "conv2d_winograd_filters", {{"strides", strides}, {"dilation", dilation}},
           {strides[0], strides[1], dilation[0], dilation[1]}, kHasFilters);
    } else if (node.op->name == "matmul" && settled[node.in[1]] && keeps_panels(rewriter, node)) {
      const bool transpose = node.attrs.boolean("transpose_b", false);
      Attrs attrs{{"transpose_b", transpose}};
      const bool in_tiles = keeps_tiles(rewriter, node);
      if (in_tiles) {
        attrs.set(kHasTiles, true);
        node.attrs.set(kHasTiles, true);
      }
      take(in_tiles ? tiles : panels, "matmul_panels", std::move(attrs), {transpose}, kHasPanels);
    }
    return true;
  });
}

}  // namespace dlcore
