// Movement: the copies that ops/movement.h makes of a node, padding, constants.
#include "cuda/kernels/movement.h"

#include <cstring>

#include "cuda/ops/families.h"
#include "ops/axis.h"
#include "ops/movement.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// The bytes of one number.
std::uint64_t bits_of(DType dtype, double number) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, Tensor::scalar(dtype, number).bytes(), size_of(dtype));
  return bits;
}

void add_moves(const char* name) {
  register_kernel(name, [name](SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) -> Kernel {
    const std::size_t cleared = std::string_view(name) == "slice_grad" ? out[0].bytes() : 0;
    return {.run =
                [moves = moves_of(name, in, out, attrs), cleared, &context](const Buffers& b) {
                  zero_bytes(context.stream, b.out[0], cleared);
                  for (const Move& move : moves)
                    strided_copy(context.stream, move.copy, b.in[move.in], b.out[move.out]);
                },
            .label = name};
  });
}

PadShape pad_shape(const TensorSpec& x, const TensorSpec& y, const Attrs& attrs) {
  const std::vector<std::int64_t> low = attrs.integers("low", {});
  const std::string mode = attrs.text("mode", "constant");
  PadShape shape;
  shape.mode = mode == "reflect" ? PadShape::Reflect : mode == "symmetric" ? PadShape::Symmetric : PadShape::Constant;
  shape.rank = x.shape.rank();
  for (int axis = 0; axis < shape.rank; ++axis) {
    shape.in_size[axis] = x.shape[axis];
    shape.out_size[axis] = y.shape[axis];
    shape.low[axis] = low[axis];
  }
  return shape;
}

Kernel plan_pad(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {.run = [shape = pad_shape(in[0], out[0], attrs), element = static_cast<int>(size_of(in[0].dtype)),
                  value = bits_of(in[0].dtype, attrs.number("value", 0.0)),
                  &context](const Buffers& b) { pad(context.stream, shape, element, value, b.in[0], b.out[0]); },
          .label = "pad"};
}

/// Passes its first inputs on, as copy, bitcast and custom_gradient do.
Kernel plan_copies(SpecSpan, SpecSpan out, const Attrs&, const Context& context) {
  std::vector<std::size_t> bytes;
  Kernel kernel;
  kernel.label = "copy";
  for (int i = 0; i < static_cast<int>(out.size()); ++i) {
    bytes.push_back(out[i].bytes());
    kernel.in_place.emplace_back(i, i);
  }
  kernel.run = [bytes, &context](const Buffers& b) {
    for (std::size_t i = 0; i < bytes.size(); ++i) copy_bytes(context.stream, b.in[i], b.out[i], bytes[i]);
  };
  return kernel;
}

Kernel plan_full_like(SpecSpan, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {.run = [n = out[0].shape.elements(), element = static_cast<int>(size_of(out[0].dtype)),
                  value = bits_of(out[0].dtype, attrs.number("value", 0.0)),
                  &context](const Buffers& b) { fill(context.stream, element, n, value, b.out[0]); },
          .label = "fill"};
}

Kernel plan_iota_like(SpecSpan, SpecSpan out, const Attrs& attrs, const Context& context) {
  const AxisView view = view_along(out[0].shape, resolve_axis(attrs.integer("axis", -1), out[0].shape.rank()));
  return {.run = [view, dtype = out[0].dtype, n = out[0].shape.elements(),
                  &context](const Buffers& b) { iota(context.stream, dtype, n, view.size, view.inner, b.out[0]); },
          .label = "iota"};
}

}  // namespace

void register_movement() {
  for (const char* name : {"transpose", "broadcast_to", "broadcast_like", "concat", "split", "split_like", "slice",
                           "slice_grad", "tile", "flip"})
    add_moves(name);
  register_kernel("pad", plan_pad);
  register_kernel("copy", [](SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
    Kernel kernel = plan_copies(in, out, attrs, context);
    kernel.in_place.clear();  // a buffer of its own is what it is for
    return kernel;
  });
  register_kernel("custom_gradient", plan_copies);
  register_kernel("bitcast", plan_copies);
  register_kernel("full_like", plan_full_like);
  register_kernel("iota_like", plan_iota_like);
}

}  // namespace dlcore::cuda
