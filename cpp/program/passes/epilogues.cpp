#include <array>
#include <string_view>

#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Activations that the matmul and convolution kernels compute on their way out.
constexpr std::array<std::string_view, 3> kEpilogueActivations{"relu", "sigmoid", "tanh"};

bool has_epilogue(const Node& node) { return node.op->name == "matmul" || node.op->name == "conv2d"; }

class EpilogueFuser {
 public:
  explicit EpilogueFuser(Graph& graph) : graph_(graph), uses_(count_uses(graph)), rewriter_(graph) {}

  void run() {
    rewriter_.run([this](Node& node) {
      fuse_bias(node);
      fuse_activation(node);
      return true;
    });
  }

 private:
  // The matmul or convolution that makes `value` for this one reader.
  const Node* producer(int value) const {
    const Node* node = rewriter_.maker(value);
    return node && has_epilogue(*node) && uses_[value] == 1 ? node : nullptr;
  }

  // Whether a value holds one number per output channel: [C], or [1, ..., 1, C].
  bool is_channel_vector(int value, std::int64_t channels) const {
    const Shape& shape = graph_.values[value].spec.shape;
    return shape.rank() >= 1 && shape.back() == channels && shape.elements() == channels;
  }

  void fuse_bias(Node& node) {
    if (node.op->name != "add") return;
    for (int side = 0; side < 2; ++side) {
      const Node* product = producer(node.in[side]);
      if (!product || product->in.size() != 2 || product->attrs.has("activation")) continue;
      const TensorSpec& result = graph_.values[product->out[0]].spec;
      if (!(result == graph_.values[node.out[0]].spec) || !is_channel_vector(node.in[1 - side], result.shape.back()))
        continue;
      const Node fused = *product;
      int bias = node.in[1 - side];
      if (graph_.values[bias].spec.shape.rank() != 1)
        bias = rewriter_.emit("reshape", {bias}, {{"shape", std::vector<std::int64_t>{result.shape.back()}}});
      node = {fused.op, {fused.in[0], fused.in[1], bias}, node.out, fused.attrs};
      return;
    }
  }

  void fuse_activation(Node& node) {
    for (std::string_view activation : kEpilogueActivations) {
      if (node.op->name != activation) continue;
      const Node* product = producer(node.in[0]);
      if (!product || product->attrs.has("activation")) return;
      Node fused{product->op, product->in, node.out, product->attrs};
      fused.attrs.set("activation", std::string(activation));
      node = std::move(fused);
      return;
    }
  }

  Graph& graph_;
  std::vector<int> uses_;
  Rewriter rewriter_;
};

}  // namespace

void fuse_epilogues(Graph& graph) { EpilogueFuser(graph).run(); }

}  // namespace dlcore
