// LSTM, GRU and the simple recurrent network over whole sequences; shapes and attributes as docs/primitives.md has
// them.
#include <memory>
#include <string>

#include "dlcore/ops.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/recurrent.h"

namespace dlcore {

namespace {

// --------------------------------------------------------------------------------------------------------- shape rules

using Family = RnnFamily;

RnnCell cell_of(Family family, const Attrs& attrs) {
  if (family == Family::Lstm) return RnnCell::Lstm;
  if (family == Family::Simple) return RnnCell::Simple;
  return attrs.boolean("reset_after", true) ? RnnCell::GruResetAfter : RnnCell::GruResetBefore;
}

RnnActivation activation_of(const Attrs& attrs, const char* attribute, const char* fallback) {
  const std::string name = attrs.text(attribute, fallback);
  const std::optional<RnnActivation> activation = rnn_activation(name);
  if (!activation)
    throw value_error(attribute, " '", name, "' is not one that recurrent kernels know; expected one of ",
                      rnn_activation_names(), ".");
  return *activation;
}

/// `size` of axis `axis` of `spec` against what is known; an unknown `known` takes it.
void unify(std::int64_t& known, const char* name, const TensorSpec& spec, int axis, const char* tensor) {
  const std::int64_t size = spec.shape[axis];
  if (known == Shape::kUnknown) known = size;
  if (size != Shape::kUnknown && size != known)
    throw value_error(tensor, " should have ", known, " ", name, " along axis ", axis,
                      ", as the tensors before it; got ", spec, ".");
}

void check_rank(const TensorSpec& spec, int rank, const char* tensor, const char* layout) {
  if (spec.shape.rank() != rank) throw value_error(tensor, " should be ", layout, "; got ", spec, ".");
}

void check_dtype(const TensorSpec& spec, DType dtype, const char* tensor) {
  if (spec.dtype != dtype) throw type_error(tensor, " should be ", dtype, "; got ", spec, ".");
}

/// Sizes and options of the layer, from the inputs that forward and gradient share: x, w_x, w_h.
RnnShape shape_of(Family family, std::span<const TensorSpec> in, const Attrs& attrs) {
  const TensorSpec &x = in[0], &w_x = in[1], &w_h = in[2];
  if (x.dtype != DType::F32 && x.dtype != DType::F64)
    throw type_error("x should be float32 or float64; got ", x, ". Cast the inputs of recurrent layers.");
  check_rank(x, 3, "x", "[batch, steps, channels]");
  check_rank(w_x, 2, "w_x", "[channels, gates * units]");
  check_rank(w_h, 2, "w_h", "[units, gates * units]");
  for (const TensorSpec* w : {&w_x, &w_h}) check_dtype(*w, x.dtype, "a weight");
  RnnShape shape{.cell = cell_of(family, attrs),
                 .batch = x.shape[0],
                 .steps = x.shape[1],
                 .channels = x.shape[2],
                 .units = w_h.shape[0],
                 .reverse = attrs.boolean("reverse", false),
                 .activation = activation_of(attrs, "activation", "tanh"),
                 .recurrent_activation = activation_of(attrs, "recurrent_activation", "sigmoid"),
                 .bfloat_products = attrs.boolean(kBfloatProducts, false),
                 .most_input_rows = attrs.integer(kMostInputRows, 0)};
  if (shape.most_input_rows < 0 || shape.most_input_rows > INT32_MAX)
    throw value_error("most_input_rows is ", shape.most_input_rows, "; expected 0 to ", INT32_MAX, ".");
  unify(shape.channels, "channels", w_x, 0, "w_x");
  if (shape.channels == 0) throw value_error("x should have at least one channel; got ", x, ".");
  const int gates = rnn_gates(shape.cell);
  for (const TensorSpec* w : {&w_x, &w_h})
    if (shape.units < 1 || w->shape[1] != gates * shape.units)
      throw value_error("w_x and w_h should have ", gates, " * units columns, units being the rows of w_h; got w_x ",
                        w_x, " and w_h ", w_h, ".");
  return shape;
}

std::int64_t bias_rows(const RnnShape& shape, const TensorSpec& b) {
  const std::int64_t cols = rnn_gates(shape.cell) * shape.units;
  if (b.shape == Shape{cols}) return 1;
  if (shape.cell == RnnCell::GruResetAfter && b.shape == Shape{2, cols}) return 2;
  throw value_error("b should have the shape ", Shape{cols},
                    shape.cell == RnnCell::GruResetAfter ? str(" or ", Shape{2, cols}) : "", "; got ", b, ".");
}

int state_count(Family family) { return rnn_state_count(family); }

/// Of a tensor that says something of each row and step.
void check_pairs(RnnShape& shape, const TensorSpec& spec, DType dtype, const char* name) {
  check_rank(spec, 2, name, "[batch, steps]");
  check_dtype(spec, dtype, name);
  unify(shape.batch, "rows", spec, 0, name);
  unify(shape.steps, "steps", spec, 1, name);
}
void check_mask(RnnShape& shape, const TensorSpec& mask) { check_pairs(shape, mask, DType::Bool, "mask"); }
void check_inverse(RnnShape& shape, const TensorSpec& inverse) { check_pairs(shape, inverse, DType::I32, "inverse"); }

/// Gives the kernel the inverse, input `input` of the node; -1: there is none.
template <class Io>
void set_inverse(Io& io, const Buffers& buffers, int input, const RnnShape& s) {
  if (input < 0) return;
  const std::int64_t pairs = s.batch * s.steps;
  io.inverse = buffers.input<std::int32_t>(input);
  io.input_rows = rnn_input_rows(io.inverse, pairs);
  if (io.input_rows < 0)
    throw value_error(
        "inverse has a number which neither came before nor is the next new one; expected the rows of x in the order "
        "in which they come first, as unique_indices counts them.");
  if (io.input_rows < pairs && io.input_rows > s.most_input_rows)
    throw value_error("inverse names ", io.input_rows, " rows of x; expected ", s.most_input_rows,
                      " at most (most_input_rows), or one for each row and step.");
}

}  // namespace

RnnInputs rnn_inputs(Family family, std::size_t count, const Attrs& attrs) {
  const bool has_inverse = attrs.integer(kMostInputRows, 0) > 0;
  const int least = 4 + state_count(family) + has_inverse, inputs = static_cast<int>(count);
  if (inputs != least && inputs != least + 1)
    throw value_error("expected ", least, " inputs, or ", least + 1, " with a mask; got ", count, ".");
  return {inputs == least ? -1 : 4 + state_count(family), has_inverse ? inputs - 1 : -1};
}

RnnShape rnn_forward_shape(Family family, std::span<const TensorSpec> in, const Attrs& attrs) {
  const std::size_t states = state_count(family);
  const RnnInputs at = rnn_inputs(family, in.size(), attrs);
  RnnShape shape = shape_of(family, in, attrs);
  check_dtype(in[3], in[0].dtype, "b");
  shape.bias_rows = static_cast<int>(bias_rows(shape, in[3]));
  for (std::size_t i = 4; i < 4 + states; ++i) {
    const char* name = i == 4 ? "h0" : "c0";
    check_rank(in[i], 2, name, "[batch, units]");
    check_dtype(in[i], in[0].dtype, name);
    unify(shape.batch, "rows", in[i], 0, name);
    unify(shape.units, "units", in[i], 1, name);
  }
  if (at.mask >= 0) check_mask(shape, in[at.mask]);
  if (at.inverse >= 0) check_inverse(shape, in[at.inverse]);
  return shape;
}

namespace {

// ------------------------------------------------------------------------------------------------------------- forward

template <Family family>
Specs infer_forward(std::span<const TensorSpec> in, const Attrs& attrs) {
  const RnnShape s = rnn_forward_shape(family, in, attrs);
  const DType dtype = in[0].dtype;
  Specs out{{dtype, {s.batch, s.steps, s.units}}};
  for (int i = 0; i < state_count(family); ++i) out.push_back({dtype, {s.batch, s.units}});
  out.push_back({dtype, {s.steps, s.batch, attrs.boolean(kKeepsWorkspace, true) ? rnn_workspace_size(s) : 0}});
  return out;
}

template <class T>
void run_forward(const RnnLayer<T>& layer, const RnnShape& s, int states, const RnnInputs& at, bool keeps_workspace,
                 const Buffers& buffers) {
  RnnForward<T> io{.x = buffers.input<T>(0),
                   .w_x = buffers.input<T>(1),
                   .w_h = buffers.input<T>(2),
                   .b = buffers.input<T>(3),
                   .h0 = buffers.input<T>(4),
                   .c0 = states == 2 ? buffers.input<T>(5) : nullptr,
                   .mask = at.mask < 0 ? nullptr : buffers.input<bool>(at.mask),
                   .y = buffers.output<T>(0),
                   .h_T = buffers.output<T>(1),
                   .c_T = states == 2 ? buffers.output<T>(2) : nullptr,
                   .workspace = keeps_workspace ? buffers.output<T>(1 + states) : nullptr};
  set_inverse(io, buffers, at.inverse, s);
  layer.run(io, buffers.scratch);
}

const char* label_of(RnnCell cell, bool grad) {
  switch (cell) {
    case RnnCell::Lstm:
      return grad ? "lstm_grad" : "lstm";
    case RnnCell::Simple:
      return grad ? "simple_rnn_grad" : "simple_rnn";
    default:
      return grad ? "gru_grad" : "gru";
  }
}

template <Family family>
Kernel plan_forward(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const RnnShape s = rnn_forward_shape(family, in, attrs);
  const int states = state_count(family);
  const RnnInputs at = rnn_inputs(family, in.size(), attrs);
  const bool keeps = attrs.boolean(kKeepsWorkspace, true);
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    const auto layer = std::make_shared<const RnnLayer<T>>(s);
    return {.run = [=](const Buffers& buffers) { run_forward<T>(*layer, s, states, at, keeps, buffers); },
            .scratch_bytes = layer->scratch_bytes(),
            .label = str(label_of(s.cell, false), layer->rounds_products() ? "_bf16" : ""),
            .flops = rnn_forward_flops(s),
            .may_fail = s.most_input_rows > 0};
  });
}

// ------------------------------------------------------------------------------------------------------------ gradient

}  // namespace

RnnGradInputs rnn_grad_inputs(Family family, const Attrs& attrs) {
  RnnGradInputs at;
  if (attrs.boolean("has_mask", false)) at.mask = at.count++;
  if (attrs.boolean("has_dy", true)) at.dy = at.count++;
  if (attrs.boolean("has_dh_T", true)) at.dh_T = at.count++;
  if (family == Family::Lstm && attrs.boolean("has_dc_T", true)) at.dc_T = at.count++;
  if (attrs.integer(kMostInputRows, 0) > 0) at.inverse = at.count++;
  return at;
}

RnnShape rnn_grad_shape(Family family, std::span<const TensorSpec> in, const Attrs& attrs) {
  const RnnGradInputs at = rnn_grad_inputs(family, attrs);
  if (static_cast<int>(in.size()) != at.count)
    throw value_error("expected ", at.count, " inputs by the has_ attributes; got ", in.size(), ".");
  RnnShape shape = shape_of(family, in, attrs);
  const std::int64_t rows = attrs.integer("bias_rows", 1), most = shape.cell == RnnCell::GruResetAfter ? 2 : 1;
  if (rows < 1 || rows > most) throw value_error("bias_rows is ", rows, "; expected 1", most > 1 ? " or 2." : ".");
  shape.bias_rows = static_cast<int>(rows);
  if (at.mask >= 0) check_mask(shape, in[at.mask]);
  if (at.inverse >= 0) check_inverse(shape, in[at.inverse]);
  if (at.dy >= 0) {
    check_rank(in[at.dy], 3, "dy", "[batch, steps, units]");
    check_dtype(in[at.dy], in[0].dtype, "dy");
    unify(shape.batch, "rows", in[at.dy], 0, "dy");
    unify(shape.steps, "steps", in[at.dy], 1, "dy");
    unify(shape.units, "units", in[at.dy], 2, "dy");
  }
  for (int state : {at.dh_T, at.dc_T}) {
    if (state < 0) continue;
    check_rank(in[state], 2, "the gradient of a state", "[batch, units]");
    check_dtype(in[state], in[0].dtype, "the gradient of a state");
    unify(shape.batch, "rows", in[state], 0, "the gradient of a state");
    unify(shape.units, "units", in[state], 1, "the gradient of a state");
  }
  expect_like("workspace", in[3], "that of the forward pass",
              {in[0].dtype, {shape.steps, shape.batch, rnn_workspace_size(shape)}});
  return shape;
}

namespace {

template <Family family>
Specs infer_grad(std::span<const TensorSpec> in, const Attrs& attrs) {
  const RnnShape s = rnn_grad_shape(family, in, attrs);
  const DType dtype = in[0].dtype;
  const std::int64_t cols = rnn_gates(s.cell) * s.units;
  const Shape b = s.bias_rows == 2 ? Shape{2, cols} : Shape{cols};
  const Shape dx = attrs.boolean("needs_dx", true) ? in[0].shape : Shape{0};
  Specs out{{dtype, dx}, {dtype, in[1].shape}, {dtype, in[2].shape}, {dtype, b}};
  for (int i = 0; i < state_count(family); ++i) out.push_back({dtype, {s.batch, s.units}});
  return out;
}

template <class T>
void run_grad(const RnnGradient<T>& gradient, const RnnShape& s, int states, const RnnGradInputs& at, bool needs_dx,
              const Buffers& buffers) {
  const auto optional = [&](int input) { return input < 0 ? nullptr : buffers.input<T>(input); };
  RnnBackward<T> io{.x = buffers.input<T>(0),
                    .w_x = buffers.input<T>(1),
                    .w_h = buffers.input<T>(2),
                    .mask = at.mask < 0 ? nullptr : buffers.input<bool>(at.mask),
                    .workspace = buffers.input<T>(3),
                    .dy = optional(at.dy),
                    .dh_T = optional(at.dh_T),
                    .dc_T = optional(at.dc_T),
                    .dx = needs_dx ? buffers.output<T>(0) : nullptr,
                    .dw_x = buffers.output<T>(1),
                    .dw_h = buffers.output<T>(2),
                    .db = buffers.output<T>(3),
                    .dh0 = buffers.output<T>(4),
                    .dc0 = states == 2 ? buffers.output<T>(5) : nullptr};
  set_inverse(io, buffers, at.inverse, s);
  gradient.run(io, buffers.scratch);
}

template <Family family>
Kernel plan_grad(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const RnnShape s = rnn_grad_shape(family, in, attrs);
  const bool needs_dx = attrs.boolean("needs_dx", true);
  const RnnGradInputs at = rnn_grad_inputs(family, attrs);
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    const auto gradient = std::make_shared<const RnnGradient<T>>(s);
    return {.run = [=, states = state_count(family)](
                       const Buffers& buffers) { run_grad<T>(*gradient, s, states, at, needs_dx, buffers); },
            .scratch_bytes = gradient->scratch_bytes(),
            .label = str(label_of(s.cell, true), gradient->rounds_products() ? "_bf16" : ""),
            .flops = rnn_backward_flops(s),
            .may_fail = s.most_input_rows > 0};
  });
}

template <Family family>
std::vector<Tensor> vjp(const VjpContext& context) {
  const std::size_t states = state_count(family);
  const RnnInputs at = rnn_inputs(family, context.in.size(), context.attrs);
  std::vector<Tensor> inputs{context.in[0], context.in[1], context.in[2], context.out[1 + states]};
  if (at.mask >= 0) inputs.push_back(context.in[at.mask]);
  for (std::size_t i = 0; i < 1 + states; ++i)
    if (context.dout[i]) inputs.push_back(context.dout[i]);
  if (at.inverse >= 0) inputs.push_back(context.in[at.inverse]);

  Attrs attrs = context.attrs;
  attrs.set("has_mask", at.mask >= 0);
  attrs.set("has_dy", static_cast<bool>(context.dout[0]));
  attrs.set("has_dh_T", static_cast<bool>(context.dout[1]));
  if (states == 2) attrs.set("has_dc_T", static_cast<bool>(context.dout[2]));
  attrs.set("needs_dx", static_cast<bool>(context.wanted[0]));
  attrs.set("bias_rows", std::int64_t{context.in[3].shape().rank()});
  const char* name = family == Family::Lstm ? "lstm_grad" : family == Family::Gru ? "gru_grad" : "simple_rnn_grad";
  std::vector<Tensor> gradients = apply_all(name, inputs, attrs);
  if (!context.wanted[0]) gradients[0] = {};
  gradients.resize(context.in.size());
  return gradients;
}

template <Family family>
std::vector<Tensor> no_second_derivative(const VjpContext&) {
  const char* layer = family == Family::Lstm ? "LSTM" : family == Family::Gru ? "GRU" : "SimpleRNN";
  throw Error(ErrorKind::NotImplemented, str("the gradient of ", layer,
                                             "'s gradient is not implemented: its steps are one kernel. For second "
                                             "derivatives step the cell, RNN(",
                                             layer, "Cell(units)), which has the same weights."));
}

template <Family family>
void register_cell(const char* name, const char* grad_name) {
  register_primitive({.name = name,
                      .infer = infer_forward<family>,
                      .plan = plan_forward<family>,
                      .vjp = vjp<family>,
                      .last_output_wanted = kKeepsWorkspace});
  register_primitive(
      {.name = grad_name, .infer = infer_grad<family>, .plan = plan_grad<family>, .vjp = no_second_derivative<family>});
}

}  // namespace

void register_recurrent() {
  register_cell<Family::Lstm>("lstm", "lstm_grad");
  register_cell<Family::Gru>("gru", "gru_grad");
  register_cell<Family::Simple>("simple_rnn", "simple_rnn_grad");
}

}  // namespace dlcore
