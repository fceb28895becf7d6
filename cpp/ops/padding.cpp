// Padding: elements around a tensor, of one value or mirrored from within.
#include <algorithm>

#include "dlcore/ops.h"
#include "kernels/movement/movement.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/movement.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

struct PadAttrs {
  Integers low, high;
  PadMode mode;
};

PadMode pad_mode(const std::string& name) {
  if (name == "constant") return PadMode::Constant;
  if (name == "reflect") return PadMode::Reflect;
  if (name == "symmetric") return PadMode::Symmetric;
  throw value_error("mode '", name, "' is not known; expected 'constant', 'reflect' or 'symmetric'.");
}

PadAttrs pad_attrs(const TensorSpec& x, const Attrs& attrs) {
  PadAttrs pad{attrs.integers("low", {}), attrs.integers("high", {}), pad_mode(attrs.text("mode", "constant"))};
  if (static_cast<int>(pad.low.size()) != x.shape.rank()) throw wrong_length("low", pad.low, x);
  if (static_cast<int>(pad.high.size()) != x.shape.rank()) throw wrong_length("high", pad.high, x);
  for (int axis = 0; axis < x.shape.rank(); ++axis) {
    const std::int64_t least = std::min(pad.low[axis], pad.high[axis]), most = std::max(pad.low[axis], pad.high[axis]);
    if (least < 0)
      throw value_error("padding by ", least, " on axis ", axis,
                        " would cut; padding is at least 0, use slice to cut.");
    const std::int64_t mirrored = x.shape[axis] - (pad.mode == PadMode::Reflect ? 1 : 0);
    if (pad.mode != PadMode::Constant && x.shape[axis] != Shape::kUnknown && most > 0 && most > mirrored)
      throw value_error("axis ", axis, " of ", x, " can be mirrored by at most ", std::max<std::int64_t>(mirrored, 0),
                        "; got a padding of ", most, ". Pad in several steps, or use mode='constant'.");
  }
  return pad;
}

Specs infer_pad(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const PadAttrs pad = pad_attrs(in[0], attrs);
  Shape shape = in[0].shape;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != Shape::kUnknown && (__builtin_add_overflow(shape[axis], pad.low[axis], &shape[axis]) ||
                                           __builtin_add_overflow(shape[axis], pad.high[axis], &shape[axis])))
      throw Error(ErrorKind::OutOfMemory, str("The size of axis ", axis, " of ", in[0], ", padded by ", pad.low[axis],
                                              " and ", pad.high[axis], ", can't be counted in 64 bits."));
  return {{in[0].dtype, shape}};
}

/// Inner axes without padding are one run, part of the padded axis before it; or rows of their own, for the threads,
/// when there are few others.
PadCopy pad_copy(const TensorSpec& x, const PadAttrs& pad) {
  constexpr std::int64_t kFewRows = 64, kLongRun = 64;
  PadCopy copy;
  copy.mode = pad.mode;
  copy.element = static_cast<int>(size_of(x.dtype));
  int last = x.shape.rank() - 1;
  for (; last >= 0 && pad.low[last] == 0 && pad.high[last] == 0; --last) copy.inner *= x.shape[last];
  std::int64_t rows = 1;
  for (int axis = 0; axis <= last; ++axis) {
    if (axis < last) rows *= pad.low[axis] + x.shape[axis] + pad.high[axis];
    copy.add_axis(x.shape[axis], pad.low[axis], pad.high[axis]);
  }
  if (last < 0 || (rows < kFewRows && copy.inner >= kLongRun)) copy.add_axis(1, 0, 0);
  return copy;
}

Kernel plan_pad(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  if (out[0].shape.elements() == 0) return {.run = [](const Buffers&) {}, .label = "pad"};
  const Tensor value = Tensor::scalar(in[0].dtype, attrs.number("value", 0.0));
  return {.run = [copy = pad_copy(in[0], pad_attrs(in[0], attrs)),
                  value](const Buffers& b) { movement_kernels().pad(copy, value.bytes(), b.in[0], b.out[0]); },
          .label = "pad"};
}

/// x[..., start:stop, ...] on one axis.
Attrs slice_on_axis(int rank, int axis, std::int64_t start, std::int64_t stop) {
  Integers starts(rank, 0), stops(rank, kToTheEnd);
  starts[axis] = start;
  stops[axis] = stop;
  return {{"starts", starts}, {"stops", stops}, {"strides", Integers(rank, 1)}};
}

/// The stretch that was mirrored into the padding of one side, put back where it came from.
Tensor unmirrored(const Tensor& padding, const Tensor& like, int axis, const Attrs& where) {
  return apply("slice_grad", {apply("flip", {padding}, {{"axes", Integers{axis}}}), like}, where);
}

/// Gradient of padding one axis.
Tensor pad_axis_grad(const Tensor& dy, int axis, std::int64_t low, std::int64_t high, PadMode mode) {
  const int rank = dy.shape().rank();
  auto cut = [&](std::int64_t start, std::int64_t stop) {
    return apply("slice", {dy}, slice_on_axis(rank, axis, start, stop));
  };
  Tensor dx = cut(low, high ? -high : kToTheEnd);
  if (mode == PadMode::Constant) return dx;
  const std::int64_t edge = mode == PadMode::Reflect ? 1 : 0;
  const Tensor middle = dx;
  if (low) dx = dx + unmirrored(cut(0, low), middle, axis, slice_on_axis(rank, axis, edge, edge + low));
  if (high)
    dx = dx + unmirrored(cut(-high, kToTheEnd), middle, axis,
                         slice_on_axis(rank, axis, -high - edge, edge ? -edge : kToTheEnd));
  return dx;
}

std::vector<Tensor> vjp_pad(const VjpContext& c) {
  const PadAttrs pad = pad_attrs(c.in[0].spec(), c.attrs);
  Tensor dx = c.dout[0];
  if (pad.mode == PadMode::Constant) {
    Integers stops;
    for (std::int64_t high : pad.high) stops.push_back(high ? -high : kToTheEnd);
    return {apply("slice", {dx}, {{"starts", pad.low}, {"stops", stops}, {"strides", Integers(stops.size(), 1)}})};
  }
  for (int axis = 0; axis < c.in[0].shape().rank(); ++axis)
    if (pad.low[axis] || pad.high[axis]) dx = pad_axis_grad(dx, axis, pad.low[axis], pad.high[axis], pad.mode);
  return {dx};
}

}  // namespace

void register_padding() { register_primitive({.name = "pad", .infer = infer_pad, .plan = plan_pad, .vjp = vjp_pad}); }

}  // namespace dlcore
