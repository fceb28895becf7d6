#include <optional>

#include "ops/convolution.h"
#include "ops/pooled_convolution.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// max_pool2d_grad scatters dp among zeros. What follows it either works on dp alone or skips the zeros.
class PoolingMover {
 public:
  PoolingMover(Graph& graph, bool on_host) : rewriter_(graph), on_host_(on_host) {}

  void run() {
    rewriter_.run([this](Node& node) {
      if (is(node, "relu_grad")) before_pooling(node);
      if (is(node, "reduce_sum")) sum_of_pooled(node);
      if (is(node, "conv2d_backward_input")) skip_zeros(node, 0, 2, 1);
      if (is(node, "conv2d_backward_weights")) skip_zeros(node, 1, 0, 2);
      return true;
    });
  }

 private:
  static bool is(const Node& node, const char* name) { return node.op->name == name; }

  const Node* pooling_gradient(int value) const {
    const Node* node = rewriter_.maker(value);
    return node && is(*node, "max_pool2d_grad") ? node : nullptr;
  }

  // The pooling that found the argmax which the gradient goes by, if it pooled `x`.
  const Node* pooling_of(const Node& gradient, int x) const {
    const Node* pooling = rewriter_.maker(gradient.in[1]);
    const bool same = pooling && is(*pooling, "max_pool2d") && pooling->in[0] == x && pooling->out[1] == gradient.in[1];
    return same && pooling->attrs == gradient.attrs ? pooling : nullptr;
  }

  // relu_grad(max_pool2d_grad(dp, argmax), x): a gradient that reaches a pixel of x is kept where x, there the pooled
  // value, is above zero.
  void before_pooling(Node& node) {
    const Node* gradient = pooling_gradient(node.in[0]);
    const Node* pooling = gradient ? pooling_of(*gradient, node.in[1]) : nullptr;
    if (!pooling || !(rewriter_.spec(node.in[0]) == rewriter_.spec(node.out[0]))) return;
    const Node moved = *gradient;
    const int kept = rewriter_.emit("relu_grad", {moved.in[0], pooling->out[0]}, node.attrs);
    node = {moved.op, {kept, moved.in[1], moved.in[2]}, node.out, moved.attrs};
  }

  // Every number of dp reaches one pixel of its channel and image.
  void sum_of_pooled(Node& node) {
    const Node* gradient = pooling_gradient(node.in[0]);
    if (!gradient) return;
    const int rank = rewriter_.spec(node.in[0]).shape.rank();
    std::vector<std::int64_t> axes = node.attrs.integers("axes", {});
    if (axes.empty()) axes = {0, 1, 2, 3};
    bool rows = false, cols = false;
    for (std::int64_t axis : axes) {
      rows |= axis == 1 || axis == 1 - rank;
      cols |= axis == 2 || axis == 2 - rank;
    }
    if (rows && cols) node.in[0] = gradient->in[0];
  }

  // dy, x, w: which inputs those are.
  void skip_zeros(Node& node, int dy, int x, int w) {
    const Node* gradient = pooling_gradient(node.in[dy]);
    if (!gradient || !pooling_of(*gradient, gradient->in[2])) return;
    const TensorSpec images = rewriter_.spec(node.in[x]), filters = rewriter_.spec(node.in[w]);
    if (on_host_ && takes_matrix_unit(images, filters, node.attrs)) return;
    const std::optional<Attrs> attrs = pooled_gradient(node.attrs, gradient->attrs, images, filters);
    if (!attrs) return;
    const int dp = gradient->in[0], argmax = gradient->in[1];
    if (is(node, "conv2d_backward_input"))
      node = {&primitive("conv2d_pooled_backward_input"), {dp, argmax, node.in[w], node.in[x]}, node.out, *attrs};
    else
      node = {&primitive("conv2d_pooled_backward_weights"), {node.in[x], dp, argmax, node.in[w]}, node.out, *attrs};
  }

  Rewriter rewriter_;
  bool on_host_;
};

// max_pool2d(conv2d(x, w, bias)) where nothing else reads what the convolution gives.
class PoolingFuser {
 public:
  PoolingFuser(Graph& graph, bool on_host) : uses_(count_uses(graph)), rewriter_(graph), on_host_(on_host) {}

  void run() {
    rewriter_.run([this](Node& node) {
      if (node.op->name == "max_pool2d") fuse(node);
      return true;
    });
  }

 private:
  void fuse(Node& node) {
    const Node* conv = rewriter_.maker(node.in[0]);
    if (!conv || conv->op->name != "conv2d" || uses_[node.in[0]] != 1) return;
    const TensorSpec images = rewriter_.spec(conv->in[0]), filters = rewriter_.spec(conv->in[1]);
    if (on_host_ && takes_matrix_unit(images, filters, conv->attrs)) return;
    const auto attrs = pooled_convolution(conv->attrs, node.attrs, images, filters);
    if (attrs) node = {&primitive("conv2d_max_pool2d"), conv->in, node.out, *attrs, 0, conv->caller};
  }

  std::vector<int> uses_;
  Rewriter rewriter_;
  bool on_host_;
};

}  // namespace

void skip_pooled_zeros(Graph& graph, const Device& device) { PoolingMover(graph, device.is_host()).run(); }
void fuse_pooling(Graph& graph, const Device& device) { PoolingFuser(graph, device.is_host()).run(); }

}  // namespace dlcore
