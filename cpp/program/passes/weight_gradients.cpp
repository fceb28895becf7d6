#include <set>
#include <utility>

#include "ops/optimizers.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Smaller gradients stay in the caches between the product and the update.
constexpr std::size_t kLeastBytes = 4 << 20;

class GradientFuser {
 public:
  GradientFuser(Graph& graph, bool on_host) : on_host_(on_host), uses_(count_uses(graph)), rewriter_(graph) {
    for (const Node& node : graph.nodes)
      if (node.op->name == "gather" && goes_by_rows(node) && mode_of(node) != "fill")
        looked_up_.insert({node.in[0], node.in[1]});
  }

  void run() {
    rewriter_.run([this](Node& node) {
      if (is_optimizer_update(node.op->name)) take_gradients(node);
      return true;
    });
  }

 private:
  static std::string mode_of(const Node& node) { return node.attrs.text("mode", "raise"); }

  /// Whether a gather or scatter_add goes by the rows of a matrix, and indices outside of it are errors or left out.
  static bool goes_by_rows(const Node& node) {
    const std::string mode = mode_of(node);
    return node.attrs.integer("axis", 0) == 0 && (mode == "raise" || mode == "strict" || mode == "fill");
  }

  /// The node that makes the gradient for this one reader, if it is such an op.
  const Node* maker(int gradient, const char* op) const {
    const Node* node = rewriter_.maker(gradient);
    return node && node->op->name == op && uses_[gradient] == 1 ? node : nullptr;
  }

  /// The product A^T B of factors that an update of the weight takes, perhaps rounded to theirs.
  const Node* product(int gradient, const TensorSpec& weight) const {
    const Node* const widened = on_host_ ? maker(gradient, "cast") : nullptr;
    const Node* node = maker(widened ? widened->in[0] : gradient, "matmul");
    const bool fits = node && node->in.size() == 2 && !node->attrs.has("activation") &&
                      node->attrs.boolean("transpose_a", false) && !node->attrs.boolean("transpose_b", false);
    return fits && multiplies_factors(rewriter_.spec(node->in[0]).dtype, weight.dtype) ? node : nullptr;
  }

  /// The rows added up by indices that need no check, or have had it when they were looked up in the weight.
  const Node* lookup(int gradient, int weight) const {
    const Node* node = maker(gradient, "scatter_add");
    if (!node || !goes_by_rows(*node)) return nullptr;
    return mode_of(*node) == "fill" || looked_up_.count({weight, node->in[1]}) > 0 ? node : nullptr;
  }

  void take_gradients(Node& node) {
    const std::int64_t n = node.attrs.integer("n", 1);
    std::vector<std::int64_t> products, lookups;
    std::vector<int> factors, indices;
    for (std::int64_t i = 0; i < n; ++i) {
      const TensorSpec& weight = rewriter_.spec(node.in[i]);
      int& gradient = node.in[n + i];
      if (!makes_gradient(weight) || weight.bytes() < kLeastBytes) continue;
      if (const Node* found = product(gradient, weight)) {
        gradient = found->in[0];
        factors.push_back(found->in[1]);
        products.push_back(i);
      } else if (const Node* found = lookup(gradient, node.in[i])) {
        gradient = found->in[2];
        indices.push_back(found->in[1]);
        lookups.push_back(i);
      }
    }
    node.in.insert(node.in.end(), factors.begin(), factors.end());
    node.in.insert(node.in.end(), indices.begin(), indices.end());
    if (!products.empty()) node.attrs.set(kProducts, products);
    if (!lookups.empty()) node.attrs.set(kLookups, lookups);
  }

  bool on_host_;
  std::vector<int> uses_;
  Rewriter rewriter_;
  std::set<std::pair<int, int>> looked_up_;  // the weight and the indices
};

}  // namespace

void fuse_weight_gradients(Graph& graph, bool on_host) { GradientFuser(graph, on_host).run(); }

}  // namespace dlcore
