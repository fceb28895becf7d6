#include <algorithm>
#include <string_view>

#include "ops/pointwise.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// Constants up to this many bytes are computed when the program is built.
constexpr std::size_t kFoldBytes = 1 << 16;

std::vector<std::int64_t> list_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

class Simplifier {
 public:
  explicit Simplifier(Graph& graph) : graph_(graph), rewriter_(graph) {}

  void run() {
    rewriter_.run([this](Node& node) {
      make_static(node);
      if (int same = identity_of(node); same >= 0) {
        rewriter_.replace(node.out[0], same);
        return false;
      }
      if (fold(node)) return false;
      drop_broadcasts(node);
      return true;
    });
  }

 private:
  const TensorSpec& spec(int value) const { return graph_.values[value].spec; }
  bool is(const Node& node, std::string_view name) const { return node.op->name == name; }

  // Ops that take a shape from another tensor become those that have it as an attribute.
  void make_static(Node& node) {
    const Shape shape = spec(node.out[0]).shape;  // a copy: new nodes move the graph's values
    if (is(node, "reshape_like")) {
      node = {&primitive("reshape"), {node.in[0]}, node.out, {{"shape", list_of(shape)}}};
    } else if (is(node, "broadcast_like")) {
      node = {&primitive("broadcast_to"), {node.in[0]}, node.out, {{"shape", list_of(shape)}}};
    } else if (is(node, "sum_like") && !(spec(node.in[0]).shape == shape)) {
      const int sum =
          rewriter_.emit("reduce_sum", {node.in[0]}, {{"axes", broadcast_axes(spec(node.in[0]).shape, shape)}});
      node = {&primitive("reshape"), {sum}, node.out, {{"shape", list_of(shape)}}};
    } else if (is(node, "full_like") && spec(node.out[0]).bytes() > kFoldBytes) {
      const int number = rewriter_.constant(Tensor::scalar(spec(node.out[0]).dtype, node.attrs.number("value", 0)));
      node = {&primitive("broadcast_to"), {number}, node.out, {{"shape", list_of(shape)}}};
    }
    if (is(node, "pow") && spec(node.in[0]) == spec(node.out[0]))
      if (const auto name = power_of_its_own(node); !name.empty())
        node = {&primitive(name), {node.in[0]}, node.out, {}};
    if (is_outer_product(node)) {
      const int row = rewriter_.emit("reshape", {node.in[1]}, {{"shape", std::vector<std::int64_t>{1, shape[1]}}});
      node = {&primitive("mul"), {node.in[0], row}, node.out, {}};
    }
    if (reduces_nothing(node)) node = {&primitive("reshape"), {node.in[0]}, node.out, {{"shape", list_of(shape)}}};
    // A reshape of a reshape needs only the last shape.
    if (is(node, "reshape")) {
      node.attrs = {{"shape", list_of(shape)}};
      if (const Node* before = rewriter_.maker(node.in[0]); before && is(*before, "reshape"))
        node.in[0] = before->in[0];
    }
  }

  // The primitive that computes a constant power, or "". A root of -infinity is NaN, as sqrt's is.
  std::string_view power_of_its_own(const Node& node) const {
    constexpr std::pair<double, std::string_view> kPowers[] = {
        {2, "square"}, {0.5, "sqrt"}, {-0.5, "rsqrt"}, {-1, "reciprocal"}};
    for (const auto& [exponent, name] : kPowers)
      if (is_number(node.in[1], exponent) && (exponent == 2 || is_float(spec(node.in[0]).dtype))) return name;
    return "";
  }

  // A column times a row, which joins chains as a mul does. One with a transposed column may be a weight's gradient,
  // which joins the weight's update as a matmul does.
  bool is_outer_product(const Node& node) const {
    if (!is(node, "matmul") || node.in.size() != 2 || node.attrs.boolean("transpose_a", false)) return false;
    const Shape &column = spec(node.in[0]).shape, &row = spec(node.in[1]).shape;
    return column.rank() == 2 && column[1] == 1 && row.rank() == 2 && !node.attrs.has("activation");
  }

  // Over axes of one element, of which these reductions are that element.
  bool reduces_nothing(const Node& node) const {
    constexpr std::string_view kOfOneTheOne[] = {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min",
                                                 "reduce_prod"};
    if (std::ranges::find(kOfOneTheOne, node.op->name) == std::end(kOfOneTheOne)) return false;
    const TensorSpec &x = spec(node.in[0]), &y = spec(node.out[0]);
    return x.dtype == y.dtype && x.shape.elements() == y.shape.elements() && x.shape.elements() > 0;
  }

  // The axes of `from` along which a tensor of shape `to` is broadcast.
  static std::vector<std::int64_t> broadcast_axes(const Shape& from, const Shape& to) {
    std::vector<std::int64_t> axes;
    const int added = from.rank() - to.rank();
    for (int axis = 0; axis < from.rank(); ++axis)
      if (axis < added || (to[axis - added] == 1 && from[axis] != 1)) axes.push_back(axis);
    return axes;
  }

  bool is_number(int value, double number) const {
    const Value& v = graph_.values[value];
    return v.source == Source::Constant && v.spec.shape.elements() == 1 && v.constant.item() == number;
  }

  // The input that the node hands on unchanged, or -1.
  int identity_of(const Node& node) const {
    if (node.out.size() != 1 || node.in.empty()) return -1;
    const bool same = spec(node.in[0]) == spec(node.out[0]);
    if (same && (is(node, "reshape") || is(node, "broadcast_to") || is(node, "cast") || is(node, "copy") ||
                 is(node, "sum_like") || is(node, "stop_gradient")))
      return node.in[0];
    if (same && is(node, "transpose") && is_sorted(node.attrs.integers("permutation", {}))) return node.in[0];
    if (same && (is(node, "mul") || is(node, "div") || is(node, "pow")) && is_number(node.in[1], 1)) return node.in[0];
    if (same && (is(node, "add") || is(node, "sub")) && is_number(node.in[1], 0)) return node.in[0];
    const bool second = node.in.size() == 2 && spec(node.in[1]) == spec(node.out[0]);
    if (second && is(node, "mul") && is_number(node.in[0], 1)) return node.in[1];
    if (second && is(node, "add") && is_number(node.in[0], 0)) return node.in[1];
    return -1;
  }

  static bool is_sorted(const std::vector<std::int64_t>& permutation) {
    return std::is_sorted(permutation.begin(), permutation.end());
  }

  // Computes a node all of whose inputs are constants, when the result is small.
  bool fold(const Node& node) {
    std::size_t bytes = 0;
    for (int value : node.out) bytes += spec(value).bytes();
    if (bytes > kFoldBytes) return false;
    std::vector<Tensor> in;
    for (std::size_t i = 0; i < node.in.size(); ++i) {
      const Value& value = graph_.values[node.in[i]];
      if (value.source == Source::Constant)
        in.push_back(value.constant);
      else if (!reads_bytes(*node.op, i))
        in.push_back(Tensor::borrowed(value.spec, nullptr, nullptr));
      else
        return false;
    }
    const std::vector<Tensor> out = apply_all(*node.op, in, node.attrs);
    for (std::size_t i = 0; i < out.size(); ++i) rewriter_.replace(node.out[i], rewriter_.constant(out[i]));
    return true;
  }

  // A pointwise op broadcasts by itself, as long as another operand gives the result its shape.
  void drop_broadcasts(Node& node) const {
    if (!opcode_of(node.op->name)) return;
    for (int& value : node.in) {
      const Node* before = rewriter_.maker(value);
      if (!before || !is(*before, "broadcast_to")) continue;
      const int broadcast = value;
      value = before->in[0];
      Specs specs;
      for (int v : node.in) specs.push_back(spec(v));
      if (!(node.op->infer(specs, node.attrs)[0] == spec(node.out[0]))) value = broadcast;
    }
  }

  Graph& graph_;
  Rewriter rewriter_;
};

}  // namespace

void simplify(Graph& graph) { Simplifier(graph).run(); }

}  // namespace dlcore
