#include <algorithm>
#include <numeric>

#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// A message of so many bytes is not held back for more.
constexpr std::size_t kMessageBytes = 4 << 20;

/// One message: some of a reduction's tensors, sent when the last of them is made.
struct Message {
  std::vector<std::size_t> tensors;
  int after = -1;  // the node after which it is sent
};

std::vector<Message> messages_of(const Graph& graph, const Node& reduction) {
  const auto made_by = [&](std::size_t i) {
    const Value& value = graph.values[reduction.in[i]];
    return value.source == Source::Node ? value.index : -1;
  };
  std::vector<std::size_t> by_time(reduction.in.size());
  std::iota(by_time.begin(), by_time.end(), std::size_t{0});
  std::stable_sort(by_time.begin(), by_time.end(),
                   [&](std::size_t a, std::size_t b) { return made_by(a) < made_by(b); });
  std::vector<Message> messages;
  std::size_t bytes = kMessageBytes;
  for (std::size_t i : by_time) {
    if (bytes >= kMessageBytes) {
      messages.emplace_back();
      bytes = 0;
    }
    messages.back().tensors.push_back(i);
    messages.back().after = made_by(i);
    bytes += graph.values[reduction.in[i]].spec.bytes();
  }
  return messages;
}

}  // namespace

void overlap_reductions(Graph& graph) {
  const std::size_t count = graph.nodes.size();
  for (std::size_t n = 0; n < count; ++n)
    for (int value : graph.nodes[n].out) graph.values[value].index = static_cast<int>(n);
  std::vector<std::vector<Node>> sent(count + 1), waits(count + 1);  // behind node n - 1; in the place of node n
  for (std::size_t n = 0; n < count; ++n) {
    const Node reduction = graph.nodes[n];
    if (reduction.op->name != "all_reduce") continue;
    for (const Message& message : messages_of(graph, reduction)) {
      Node start{&primitive("all_reduce_start"), {}, {}, {}}, wait{&primitive("all_reduce_wait"), {}, {}, {}};
      for (std::size_t i : message.tensors) {
        start.in.push_back(reduction.in[i]);
        graph.values.push_back({graph.values[reduction.in[i]].spec, Source::Node});
        start.out.push_back(static_cast<int>(graph.values.size()) - 1);
        wait.out.push_back(reduction.out[i]);
      }
      wait.in = start.in;  // they are read until then
      wait.in.insert(wait.in.end(), start.out.begin(), start.out.end());
      sent[static_cast<std::size_t>(message.after + 1)].push_back(std::move(start));
      waits[n].push_back(std::move(wait));
    }
  }
  std::vector<Node> nodes;
  const auto append = [&](std::vector<Node>& more) {
    for (Node& node : more) nodes.push_back(std::move(node));
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    append(sent[n]);
    if (waits[n].empty())
      nodes.push_back(std::move(graph.nodes[n]));
    else
      append(waits[n]);
  }
  graph.nodes = std::move(nodes);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (int value : graph.nodes[n].out) graph.values[value].index = static_cast<int>(n);
}

}  // namespace dlcore
