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
      fuse_relu_gradient(node);
      return !is_rectified_by_norm(node);
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
      Node fused = *product;
      int bias = node.in[1 - side];
      if (graph_.values[bias].spec.shape.rank() != 1)
        bias = rewriter_.emit("reshape", {bias}, {{"shape", std::vector<std::int64_t>{result.shape.back()}}});
      fused.in.push_back(bias);
      fused.out = node.out;
      node = std::move(fused);
      return;
    }
  }

  void fuse_activation(Node& node) {
    for (std::string_view activation : kEpilogueActivations) {
      if (node.op->name != activation) continue;
      const Node* product = producer(node.in[0]);
      if (!product || product->attrs.has("activation")) return;
      Node fused = *product;
      fused.out = node.out;
      fused.attrs.set("activation", std::string(activation));
      node = std::move(fused);
      return;
    }
  }

  // relu behind a batch_norm whose y has no other reader: the norm rectifies y itself.
  bool is_rectified_by_norm(const Node& node) {
    if (node.op->name != "relu") return false;
    Node* norm = rewriter_.maker(node.in[0]);
    if (!norm || norm->op->name != "batch_norm" || norm->out[0] != node.in[0] || norm->attrs.has("activation") ||
        uses_[norm->out[0]] != 1)
      return false;
    norm->attrs.set("activation", std::string("relu"));
    rewriter_.replace(node.out[0], norm->out[0]);
    return true;
  }

  // The gradient of such a y, which batch_norm_grad finds out with beta.
  void fuse_relu_gradient(Node& node) {
    if (node.op->name != "batch_norm_grad") return;
    const Node* relu = rewriter_.maker(node.in[4]);
    if (!relu || relu->op->name != "relu_grad" || uses_[relu->out[0]] != 1) return;
    const Node* norm = rewriter_.maker(relu->in[1]);
    if (!norm || norm->op->name != "batch_norm" || norm->out[0] != relu->in[1] || !norm->attrs.has("activation"))
      return;
    if (norm->in[0] != node.in[0] || norm->in[1] != node.in[1] || norm->out[1] != node.in[2] ||
        norm->out[3] != node.in[3])
      return;
    node.in[4] = relu->in[0];
    node.in.push_back(norm->in[2]);
    node.attrs.set("activation", std::string("relu"));
  }

  Graph& graph_;
  std::vector<int> uses_;
  Rewriter rewriter_;
};

}  // namespace

void fuse_epilogues(Graph& graph) { EpilogueFuser(graph).run(); }

}  // namespace dlcore
