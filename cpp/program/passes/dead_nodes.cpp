#include <vector>

#include "program/passes.h"

namespace dlcore {

namespace {

void drop_last_output(Graph& graph, Node& node) {
  node.attrs.set(node.op->last_output_wanted, false);
  Specs in;
  for (int value : node.in) in.push_back(graph.values[value].spec);
  graph.values[node.out.back()].spec = node.op->infer(in, node.attrs).back();
}

}  // namespace

void remove_dead_nodes(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (int value : graph.outputs) needed[value] = true;
  for (const Assignment& assignment : graph.assignments) needed[assignment.value] = true;

  std::vector<Node> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    bool live = false;
    for (int value : node->out) live = live || needed[value];
    if (!live) continue;
    if (node->op->last_output_wanted && !needed[node->out.back()]) drop_last_output(graph, *node);
    for (std::size_t i = 0; i < node->in.size(); ++i)
      if (reads_bytes(*node->op, i)) needed[node->in[i]] = true;
    kept.push_back(std::move(*node));
  }
  graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (int value : graph.nodes[i].out) graph.values[value].index = static_cast<int>(i);
  // Values of dropped nodes stay in the table, made by nobody.
  std::vector<bool> made(graph.values.size(), false);
  for (const Node& node : graph.nodes)
    for (int value : node.out) made[value] = true;
  for (std::size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].source == Source::Node && !made[v]) graph.values[v].source = Source::Dropped;
}

}  // namespace dlcore
