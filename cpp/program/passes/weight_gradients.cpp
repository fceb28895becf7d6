#include "ops/optimizers.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Smaller gradients stay in the caches between the product and the update.
constexpr std::size_t kLeastBytes = 4 << 20;

class GradientFuser {
 public:
  explicit GradientFuser(Graph& graph) : uses_(count_uses(graph)), rewriter_(graph) {}

  void run() {
    rewriter_.run([this](Node& node) {
      if (is_optimizer_update(node.op->name)) take_factors(node);
      return true;
    });
  }

 private:
  // The product A^T B that makes the gradient for this one reader.
  const Node* product(int gradient) const {
    const Node* node = rewriter_.maker(gradient);
    const bool fits = node && node->op->name == "matmul" && uses_[gradient] == 1 && node->in.size() == 2 &&
                      !node->attrs.has("activation") && node->attrs.boolean("transpose_a", false) &&
                      !node->attrs.boolean("transpose_b", false);
    return fits ? node : nullptr;
  }

  void take_factors(Node& node) {
    const std::int64_t n = node.attrs.integer("n", 1);
    std::vector<std::int64_t> products;
    for (std::int64_t i = 0; i < n; ++i) {
      const TensorSpec& weight = rewriter_.spec(node.in[i]);
      const Node* factors = product(node.in[n + i]);
      if (!factors || !is_product_update(weight) || weight.bytes() < kLeastBytes) continue;
      node.in[n + i] = factors->in[0];
      node.in.push_back(factors->in[1]);
      products.push_back(i);
    }
    if (!products.empty()) node.attrs.set(kProducts, products);
  }

  std::vector<int> uses_;
  Rewriter rewriter_;
};

}  // namespace

void fuse_weight_gradients(Graph& graph) { GradientFuser(graph).run(); }

}  // namespace dlcore
