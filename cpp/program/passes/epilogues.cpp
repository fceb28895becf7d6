#include <array>
#include <optional>
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
  // Whether a value has this one reader: what the pass makes has.
  bool has_one_use(int value) const { return value >= static_cast<int>(uses_.size()) || uses_[value] == 1; }

  // The matmul or convolution that makes a value for one reader, perhaps through a reshape that has no other either.
  struct Source {
    Node product;
    std::optional<Node> view;
  };
  std::optional<Source> source_of(int value) const {
    const Node* node = rewriter_.maker(value);
    const Node* view = node && node->op->name == "reshape" ? node : nullptr;
    if (view && has_one_use(value)) node = rewriter_.maker(value = view->in[0]);
    if (!node || !has_epilogue(*node) || !has_one_use(value)) return std::nullopt;
    return Source{*node, view ? std::optional(*view) : std::nullopt};
  }

  // `product` in the place of `node`, whose shape is that of the view.
  void put(Source source, Node& node) {
    if (!source.view) {
      source.product.out = node.out;
      node = std::move(source.product);
      return;
    }
    Node& product = source.product;
    source.view->in[0] = rewriter_.emit(product.op->name.c_str(), std::move(product.in), std::move(product.attrs));
    source.view->out = node.out;
    node = *std::move(source.view);
  }

  // Whether `value` has a number for each output channel, and adds it to all of them: [..., C] + [C], or the shape that
  // a view gives to the channels.
  bool is_channel_vector(int value, const Shape& result, std::int64_t channels) const {
    const Shape& shape = graph_.values[value].spec.shape;
    if (shape.rank() < 1 || shape.elements() != channels || shape.rank() > result.rank()) return false;
    int axis = 1;
    for (std::int64_t seen = 1; seen < channels && axis <= shape.rank(); ++axis) {
      if (shape[shape.rank() - axis] != result[result.rank() - axis]) return false;
      seen *= shape[shape.rank() - axis];
    }
    return true;
  }

  void fuse_bias(Node& node) {
    if (node.op->name != "add") return;
    for (int side = 0; side < 2; ++side) {
      std::optional<Source> source = source_of(node.in[side]);
      if (!source || source->product.in.size() != 2 || source->product.attrs.has("activation")) continue;
      const std::int64_t channels = graph_.values[source->product.out[0]].spec.shape.back();
      const TensorSpec &result = graph_.values[node.out[0]].spec, &seen = graph_.values[node.in[side]].spec;
      int bias = node.in[1 - side];
      if (!(seen == result) || !is_channel_vector(bias, result.shape, channels)) continue;
      if (graph_.values[bias].spec.shape.rank() != 1)
        bias = rewriter_.emit("reshape", {bias}, {{"shape", std::vector<std::int64_t>{channels}}});
      source->product.in.push_back(bias);
      return put(*std::move(source), node);
    }
  }

  void fuse_activation(Node& node) {
    for (std::string_view activation : kEpilogueActivations) {
      if (node.op->name != activation) continue;
      std::optional<Source> source = source_of(node.in[0]);
      if (!source || source->product.attrs.has("activation")) return;
      source->product.attrs.set("activation", std::string(activation));
      return put(*std::move(source), node);
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
