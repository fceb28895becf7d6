#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "ops/recurrent.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Products of shorter rows take hardly longer than finding those that are equal.
constexpr std::int64_t kLeastChannels = 16;

bool is(const Node& node, std::string_view name) { return node.op->name == name; }
bool is_layer(const Node& node) { return is(node, "lstm") || is(node, "gru") || is(node, "simple_rnn"); }
bool is_layer_gradient(const Node& node) {
  return is(node, "lstm_grad") || is(node, "gru_grad") || is(node, "simple_rnn_grad");
}

class LookupMerger {
 public:
  explicit LookupMerger(Graph& graph) : counts_(count_uses(graph)), uses_(graph.values.size()), rewriter_(graph) {
    for (const Node& node : graph.nodes)
      for (std::size_t i = 0; i < node.in.size(); ++i) uses_[node.in[i]].push_back({&node, i});
    for (const Node& node : graph.nodes)
      if (is_lookup(node)) merge(node);
  }

  void run() {
    rewriter_.run([this](Node& node) {
      const auto lookup = lookup_of_.find(node.out[0]);
      if (lookup != lookup_of_.end()) rewrite(node, indices_[lookup->second]);
      return true;
    });
  }

 private:
  struct Use {
    const Node* node;
    std::size_t input;
  };
  /// Instead of those of a lookup.
  struct Indices {
    int unique = -1, inverse = -1;
    std::int64_t most = 0;  // different ones
  };
  /// The nodes that change with a lookup, and the gradients of its rows.
  struct Readers {
    std::vector<const Node*> nodes;
    std::set<int> gradients;
  };

  /// Whether rows of a matrix are looked up for each step of a batch, and a wrong index is an error.
  bool is_lookup(const Node& node) const {
    if (!is(node, "gather") || node.attrs.integer("axis", 0) != 0 || node.attrs.text("mode", "raise") != "strict")
      return false;
    const Shape &table = rewriter_.spec(node.in[0]).shape, &indices = rewriter_.spec(node.in[1]).shape;
    return table.rank() == 2 && table[1] >= kLeastChannels && indices.rank() == 2 && indices.elements() > 0 &&
           indices.elements() <= INT32_MAX;
  }

  void merge(const Node& lookup) {
    Readers readers{{&lookup}, {}};
    if (!follow_rows(lookup.out[0], readers) || readers.nodes.size() == 1) return;
    const std::vector<const Node*> layers = readers.nodes;
    for (const Node* node : layers)
      if (is_layer_gradient(*node) && !follow_gradient(node->out[0], lookup, readers)) return;
    if (!adds_gradients_alone(readers)) return;
    for (const Node* node : readers.nodes) lookup_of_[node->out[0]] = lookup.out[0];
  }

  /// Whether nothing but recurrent layers and their gradients read the rows, perhaps behind casts.
  bool follow_rows(int value, Readers& readers) const {
    if (counts_[value] != std::ssize(uses_[value])) return false;
    for (const auto& [node, input] : uses_[value]) {
      if (is(*node, "cast")) {
        if (!follow_rows(node->out[0], readers)) return false;
      } else if ((is_layer(*node) || is_layer_gradient(*node)) && input == 0 && !node->attrs.has(kMostInputRows)) {
        readers.nodes.push_back(node);
      } else {
        return false;
      }
    }
    return true;
  }

  /// Whether a gradient of the rows, perhaps behind casts and sums, goes to those of the table and nowhere else.
  bool follow_gradient(int value, const Node& lookup, Readers& readers) const {
    if (!readers.gradients.insert(value).second) return true;
    if (counts_[value] != std::ssize(uses_[value])) return false;
    for (const auto& [node, input] : uses_[value]) {
      if (is(*node, "cast") || is(*node, "add")) {
        if (!follow_gradient(node->out[0], lookup, readers)) return false;
      } else if (is(*node, "scatter_add") && input == 2 && node->in[1] == lookup.in[1] &&
                 rewriter_.spec(node->in[0]).shape == rewriter_.spec(lookup.in[0]).shape) {
        readers.nodes.push_back(node);
      } else {
        return false;
      }
    }
    return true;
  }

  /// Whether sums that have one such gradient have no other terms.
  bool adds_gradients_alone(const Readers& readers) const {
    for (const int value : readers.gradients)
      for (const auto& [node, input] : uses_[value])
        if (is(*node, "add") && !readers.gradients.count(node->in[1 - input])) return false;
    return true;
  }

  void rewrite(Node& node, Indices& indices) {
    if (is(node, "gather")) {
      const std::vector<int> made = rewriter_.emit_all("unique_indices", node.in, {});
      const std::int64_t rows = rewriter_.spec(node.in[0]).shape[0],
                         count = rewriter_.spec(node.in[1]).shape.elements();
      indices = {made[0], made[1], std::min(rows, count)};
    }
    if (is_layer(node) || is_layer_gradient(node)) {
      node.in.push_back(indices.inverse);
      node.attrs.set(kMostInputRows, indices.most);
    } else {
      node.in[1] = indices.unique;
      node.attrs.set("mode", std::string("fill"));
    }
  }

  std::vector<int> counts_;
  std::vector<std::vector<Use>> uses_;
  Rewriter rewriter_;
  std::map<int, int> lookup_of_;    // the lookup with which a node changes, both by their first results
  std::map<int, Indices> indices_;  // of a lookup
};

}  // namespace

void merge_lookups(Graph& graph) { LookupMerger(graph).run(); }

}  // namespace dlcore
