#include <algorithm>
#include <map>
#include <vector>

#include "kernels/pointwise/program.h"
#include "ops/pointwise.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Inputs of a chain live until its last node runs: a sum of many tensors, one made after another, should not keep all.
constexpr int kMaxWholeInputs = 8;

/// Nodes that will run as one loop, at the place of the last of them. Closed when a node outside has read one of its
/// values: a later member would have to run before that reader and after it.
struct Chain {
  std::vector<int> nodes;
  bool open = true;
};

class PointwiseFuser {
 public:
  explicit PointwiseFuser(Graph& graph) : graph_(graph), chain_of_(graph.nodes.size(), -1) {}

  void run() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) place(static_cast<int>(n));
    replace_chains();
  }

 private:
  const TensorSpec& spec(int value) const { return graph_.values[value].spec; }

  std::optional<Instruction> instruction(const Node& node) const {
    Specs in;
    for (int value : node.in) in.push_back(spec(value));
    return instruction_of(*node.op, in, node.attrs);
  }

  int chain_making(int value) const {
    const Value& v = graph_.values[value];
    return v.source == Source::Node ? chain_of_[v.index] : -1;
  }

  // Puts the node into the open chains that feed it, made one, or into a chain of its own when it is pointwise.
  void place(int n) {
    const Node& node = graph_.nodes[n];
    const bool joins = instruction(node).has_value();
    int home = -1;
    for (int value : node.in) {
      const int feeding = chain_making(value);
      if (feeding < 0 || feeding == home) continue;
      if (joins && can_join(feeding, home, node))
        home = home < 0 ? feeding : merge(home, feeding);
      else
        chains_[feeding].open = false;
    }
    if (!joins) return;
    if (home < 0) {
      home = static_cast<int>(chains_.size());
      chains_.emplace_back();
    }
    chains_[home].nodes.push_back(n);
    chain_of_[n] = home;
  }

  bool can_join(int feeding, int home, const Node& node) const {
    const Chain& chain = chains_[feeding];
    if (!chain.open || !(spec(graph_.nodes[chain.nodes[0]].out[0]).shape == spec(node.out[0]).shape)) return false;
    std::size_t instructions = chain.nodes.size() + 1;
    std::vector<int> nodes = chain.nodes;
    if (home >= 0) {
      instructions += chains_[home].nodes.size();
      nodes.insert(nodes.end(), chains_[home].nodes.begin(), chains_[home].nodes.end());
    }
    const std::vector<int> inputs = inputs_of(nodes);
    const auto is_whole = [&](int value) { return spec(value).shape == spec(node.out[0]).shape; };
    return instructions <= kMaxInstructions && inputs.size() + node.in.size() <= kMaxInputs &&
           std::count_if(inputs.begin(), inputs.end(), is_whole) < kMaxWholeInputs;
  }

  int merge(int into, int from) {
    for (int n : chains_[from].nodes) chain_of_[n] = into;
    std::vector<int> both;
    std::merge(chains_[into].nodes.begin(), chains_[into].nodes.end(), chains_[from].nodes.begin(),
               chains_[from].nodes.end(), std::back_inserter(both));
    chains_[into].nodes = std::move(both);
    chains_[from].nodes.clear();
    chains_[from].open = false;
    return into;
  }

  // Values that the nodes read and don't make, in order of first use.
  std::vector<int> inputs_of(const std::vector<int>& nodes) const {
    std::vector<int> made, inputs;
    for (int n : nodes) made.push_back(graph_.nodes[n].out[0]);
    for (int n : nodes)
      for (int value : graph_.nodes[n].in)
        if (!std::count(made.begin(), made.end(), value) && !std::count(inputs.begin(), inputs.end(), value))
          inputs.push_back(value);
    return inputs;
  }

  void replace_chains() {
    const std::vector<int> uses = count_uses(graph_);
    std::vector<Node> nodes;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const int chain = chain_of_[n];
      if (chain < 0 || chains_[chain].nodes.size() < 2)
        nodes.push_back(graph_.nodes[n]);
      else if (chains_[chain].nodes.back() == static_cast<int>(n))
        nodes.push_back(fused(chains_[chain].nodes, uses));
    }
    graph_.nodes = std::move(nodes);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      for (int value : graph_.nodes[n].out) graph_.values[value].index = static_cast<int>(n);
  }

  Node fused(const std::vector<int>& members, const std::vector<int>& uses) const {
    Node result{&primitive("fused"), inputs_of(members), {}, {}};
    PointwiseProgram program;
    program.inputs = static_cast<int>(result.in.size());
    std::map<int, int> register_of;  // by value
    for (int value : result.in) register_of.emplace(value, static_cast<int>(register_of.size()));
    std::map<int, int> inner_uses;
    for (int n : members) {
      const Node& node = graph_.nodes[n];
      Instruction step = *instruction(node);
      for (std::size_t i = 0; i < node.in.size(); ++i) {
        step.operands[i] = register_of.at(node.in[i]);
        ++inner_uses[node.in[i]];
      }
      register_of.emplace(node.out[0], static_cast<int>(register_of.size()));
      program.code.push_back(step);
    }
    for (int n : members) {
      const int value = graph_.nodes[n].out[0];
      if (uses[value] == inner_uses[value]) continue;
      program.outputs.push_back(register_of.at(value));
      result.out.push_back(value);
    }
    result.attrs.set("code", encode_code(program));
    result.attrs.set("immediates", encode_immediates(program));
    result.caller = graph_.nodes[members.front()].caller;
    return result;
  }

  Graph& graph_;
  std::vector<int> chain_of_;  // by node, -1: none
  std::vector<Chain> chains_;
};

}  // namespace

void fuse_pointwise(Graph& graph) { PointwiseFuser(graph).run(); }

}  // namespace dlcore
