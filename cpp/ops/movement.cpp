// Movement: what changes where elements lie, by strided copies. Attributes may be written for unknown sizes (negative
// starts, stops to the end), so that a traced program serves every batch size.
#include <algorithm>
#include <limits>

#include "dlcore/ops.h"
#include "kernels/movement/movement.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/movement.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

std::string as_tuple(const Integers& numbers) {
  std::string text = "(";
  for (std::size_t i = 0; i < numbers.size(); ++i) text += str(i ? ", " : "", numbers[i]);
  return text + (numbers.size() == 1 ? ",)" : ")");
}

}  // namespace

Error wrong_length(const char* attribute, const Integers& numbers, const TensorSpec& x) {
  return value_error("'", attribute, "' is ", as_tuple(numbers), " but the input is ", x,
                     "; give one entry for each of its ", x.shape.rank(), " axes.");
}

Integers strides_of(const Shape& shape, std::int64_t element) {
  Integers strides(shape.rank());
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = element;
    element *= shape[axis];
  }
  return strides;
}

StridedCopy copy_of(DType dtype) {
  StridedCopy copy;
  copy.element = static_cast<int>(size_of(dtype));
  return copy;
}

namespace {

using Moves = std::vector<Move>;

Moves one_move(const StridedCopy& copy) { return {{simplify(copy)}}; }

template <Moves (*MOVES)(SpecSpan in, SpecSpan out, const Attrs& attrs)>
Kernel plan_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return {.run =
              [moves = MOVES(in, out, attrs)](const Buffers& b) {
                for (const Move& move : moves)
                  movement_kernels().strided_copy(move.copy, b.in[move.in], b.out[move.out]);
              },
          .label = "strided_copy"};
}

// ---- reshape

/// Product of the known sizes, and how many are unknown.
struct Count {
  std::int64_t known = 1;
  int unknown = 0;
};

Count count(const Shape& shape) {
  Shape known;
  for (std::int64_t size : shape)
    if (size != Shape::kUnknown) known.push_back(size);
  return {known.elements(), shape.rank() - known.rank()};
}

// The first `keep` sizes are those of the input; `shape` has the rest. So several sizes may be unknown.
Specs infer_reshape(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const std::int64_t keep = attrs.integer("keep", 0);
  const Shape& before = in[0].shape;
  if (keep < 0 || keep > before.rank())
    throw value_error("keep is ", keep, " for ", in[0], "; it has not so many axes.");
  const Integers sizes = attrs.integers("shape", {});
  Shape rest, shape;
  for (std::int64_t size : sizes) rest.push_back(size);
  const Count from = count(Shape(std::span(before.begin() + keep, before.end()))), to = count(rest);
  if (to.unknown > 1)
    throw value_error("shape ", as_tuple(sizes), " has ", to.unknown, " entries of -1; at most one can be inferred.");
  const bool fits = to.unknown ? (to.known ? from.known % to.known == 0 : false) : from.known == to.known;
  if (!from.unknown && !fits)
    throw value_error("can't reshape ", in[0], " of ", from.known, from.known == 1 ? " element" : " elements",
                      " to shape ", as_tuple(sizes),
                      to.unknown ? str(", whose known sizes make ", to.known) : str(" of ", to.known),
                      ". The number of elements must stay the same.");
  for (int axis = 0; axis < keep; ++axis) shape.push_back(before[axis]);
  for (std::int64_t size : rest)
    shape.push_back(size == Shape::kUnknown && !from.unknown ? from.known / to.known : size);
  return {{in[0].dtype, shape}};
}

Specs infer_reshape_like(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  const Count from = count(in[0].shape), to = count(in[1].shape);
  if (!from.unknown && !to.unknown && from.known != to.known)
    throw value_error("can't reshape ", in[0], " like ", in[1], ": ", from.known, " elements are not ", to.known, ".");
  return {{in[0].dtype, in[1].shape}};
}

std::vector<Tensor> vjp_reshape(const VjpContext& c) { return {ops::reshape_like(c.dout[0], c.in[0])}; }
std::vector<Tensor> vjp_reshape_like(const VjpContext& c) { return {ops::reshape_like(c.dout[0], c.in[0]), Tensor()}; }

// ---- transpose

Integers permutation_of(const TensorSpec& x, const Attrs& attrs) {
  const int rank = x.shape.rank();
  Integers reversed(rank);
  for (int axis = 0; axis < rank; ++axis) reversed[axis] = rank - 1 - axis;
  Integers permutation = attrs.integers("permutation", reversed);
  if (static_cast<int>(permutation.size()) != rank) throw wrong_length("permutation", permutation, x);
  Integers seen(rank, 0);
  for (std::int64_t& axis : permutation) {
    axis = resolve_axis(axis, rank);
    if (seen[axis]++)
      throw value_error("permutation ", as_tuple(permutation), " names axis ", axis, " twice; name each axis once.");
  }
  return permutation;
}

Specs infer_transpose(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  Shape shape;
  for (std::int64_t axis : permutation_of(in[0], attrs)) shape.push_back(in[0].shape[static_cast<int>(axis)]);
  return {{in[0].dtype, shape}};
}

Moves transpose_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  StridedCopy copy = copy_of(in[0].dtype);
  const Integers from = strides_of(in[0].shape, copy.element), to = strides_of(out[0].shape, copy.element);
  const Integers permutation = permutation_of(in[0], attrs);
  for (int axis = 0; axis < out[0].shape.rank(); ++axis)
    copy.add_axis(out[0].shape[axis], from[permutation[axis]], to[axis]);
  return one_move(copy);
}

std::vector<Tensor> vjp_transpose(const VjpContext& c) {
  const Integers permutation = permutation_of(c.in[0].spec(), c.attrs);
  Integers inverse(permutation.size());
  for (std::size_t axis = 0; axis < permutation.size(); ++axis)
    inverse[permutation[axis]] = static_cast<std::int64_t>(axis);
  return {ops::transpose(c.dout[0], inverse)};
}

// ---- broadcast

/// x's shape stretched to `target`, whose unknown sizes take x's.
Shape broadcast_shape(const TensorSpec& x, const Shape& target) {
  const int added = target.rank() - x.shape.rank();
  bool fits = added >= 0;
  Shape shape = target;
  for (int axis = 0; fits && axis < x.shape.rank(); ++axis) {
    const std::int64_t size = x.shape[axis], wanted = target[axis + added];
    fits = size == 1 || sizes_agree(size, wanted);
    if (wanted == Shape::kUnknown && size != 1) shape[axis + added] = size;
  }
  if (!fits)
    throw value_error("can't broadcast ", x, " to shape ", target,
                      ". Aligned at the last axis, each size of the input must be 1 or the size asked for.");
  return shape;
}

Specs infer_broadcast_to(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  Shape target;
  for (std::int64_t size : attrs.integers("shape", {})) target.push_back(size);
  Shape shape = broadcast_shape(in[0], target);
  const int added = target.rank() - in[0].shape.rank();
  for (int axis = added; axis < shape.rank(); ++axis)
    if (target[axis] == Shape::kUnknown) shape[axis] = in[0].shape[axis - added];
  for (int axis = 0; axis < added; ++axis)
    if (shape[axis] == Shape::kUnknown)
      throw value_error("shape ", target, " leaves the new axis ", axis,
                        " open; -1 can only stand for an axis of the input ", in[0], ".");
  return {{in[0].dtype, shape}};
}

Specs infer_broadcast_like(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  return {{in[0].dtype, broadcast_shape(in[0], in[1].shape)}};
}

Moves broadcast_moves(SpecSpan in, SpecSpan out, const Attrs&) {
  StridedCopy copy = copy_of(in[0].dtype);
  const Integers from = strides_of(in[0].shape, copy.element), to = strides_of(out[0].shape, copy.element);
  const int added = out[0].shape.rank() - in[0].shape.rank();
  for (int axis = 0; axis < out[0].shape.rank(); ++axis) {
    const bool stretched = axis < added || in[0].shape[axis - added] != out[0].shape[axis];
    copy.add_axis(out[0].shape[axis], stretched ? 0 : from[axis - added], to[axis]);
  }
  return one_move(copy);
}

std::vector<Tensor> vjp_broadcast(const VjpContext& c) {
  std::vector<Tensor> gradients(c.in.size());
  gradients[0] = ops::sum_like(c.dout[0], c.in[0]);
  return gradients;
}

// ---- concat and split

Specs infer_concat(SpecSpan in, const Attrs& attrs) {
  if (in.empty()) throw value_error("got no inputs; expected at least one.");
  Shape shape = in[0].shape;
  const int axis = resolve_axis(attrs.integer("axis", -1), shape.rank());
  for (std::size_t i = 1; i < in.size(); ++i) {
    Shape others = in[i].shape;
    if (others.rank() == shape.rank()) others[axis] = shape[axis];
    if (in[i].dtype != in[0].dtype || !shapes_agree(others, shape))
      throw value_error("input ", i, " is ", in[i], " but input 0 is ", in[0],
                        "; they must have one dtype and the same sizes on all axes but axis ", axis, ".");
    for (int k = 0; k < shape.rank(); ++k)
      if (k != axis) shape[k] = known_size(shape[k], in[i].shape[k]);
    const bool open = shape[axis] == Shape::kUnknown || in[i].shape[axis] == Shape::kUnknown;
    shape[axis] = open ? Shape::kUnknown : shape[axis] + in[i].shape[axis];
  }
  return {{in[0].dtype, shape}};
}

/// A part of `whole` along one axis, as seen from the whole: x[outer, size * inner] where the part is contiguous.
struct Part {
  std::int64_t outer, bytes, whole_bytes;
};

Part part_of(const TensorSpec& part, const TensorSpec& whole, int axis) {
  const AxisView view = view_along(part.shape, axis);
  const std::int64_t inner = view.inner * static_cast<std::int64_t>(size_of(part.dtype));
  return {view.outer, view.size * inner, whole.shape[axis] * inner};
}

StridedCopy between_part_and_whole(const Part& part, std::int64_t offset, bool into_whole) {
  StridedCopy copy;
  copy.element = 1;
  copy.add_axis(part.outer, into_whole ? part.bytes : part.whole_bytes, into_whole ? part.whole_bytes : part.bytes);
  copy.add_axis(part.bytes, 1, 1);
  (into_whole ? copy.out_offset : copy.in_offset) = offset;
  return simplify(copy);
}

/// One copy for each part, between it and its place in the whole.
Moves part_moves(SpecSpan parts, const TensorSpec& whole, int axis, bool into_whole) {
  Moves moves;
  std::int64_t offset = 0;
  for (int i = 0; i < static_cast<int>(parts.size()); ++i) {
    const Part part = part_of(parts[i], whole, axis);
    moves.push_back({between_part_and_whole(part, offset, into_whole), into_whole ? i : 0, into_whole ? 0 : i});
    offset += part.bytes;
  }
  return moves;
}

Moves concat_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return part_moves(in, out[0], resolve_axis(attrs.integer("axis", -1), out[0].shape.rank()), true);
}

Moves split_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return part_moves(out, in[0], resolve_axis(attrs.integer("axis", -1), in[0].shape.rank()), false);
}

Specs infer_split(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const int axis = resolve_axis(attrs.integer("axis", -1), in[0].shape.rank());
  Integers sizes = attrs.integers("sizes", {});
  const bool is_known = in[0].shape[axis] != Shape::kUnknown;
  std::int64_t left = is_known ? in[0].shape[axis] : std::numeric_limits<std::int64_t>::max();
  bool valid = !sizes.empty();
  for (std::int64_t size : sizes) {
    valid = valid && size >= 0 && size <= left;
    if (valid) left -= size;
  }
  if (!valid || (is_known && left != 0))
    throw value_error("sizes ", as_tuple(sizes), " do not split axis ", axis, " of ", in[0],
                      "; they must be at least 0 and add up to the axis's size.");
  Specs out(sizes.size(), in[0]);
  for (std::size_t i = 0; i < sizes.size(); ++i) out[i].shape[axis] = sizes[i];
  return out;
}

Specs infer_split_like(SpecSpan in, const Attrs& attrs) {
  if (in.size() < 2) throw value_error("got ", in.size(), " inputs; expected the whole and at least one part.");
  const Specs whole = infer_concat(in.subspan(1), attrs);
  if (!shapes_agree(whole[0].shape, in[0].shape))
    throw value_error("the parts make ", whole[0], " together, but the whole is ", in[0], ".");
  Specs out(in.begin() + 1, in.end());
  for (TensorSpec& part : out) part.dtype = in[0].dtype;
  return out;
}

std::vector<Tensor> vjp_concat(const VjpContext& c) {
  std::vector<Tensor> inputs{c.dout[0]};
  inputs.insert(inputs.end(), c.in.begin(), c.in.end());
  return apply_all("split_like", inputs, c.attrs);
}

Tensor concat_of_gradients(const VjpContext& c) {
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < c.dout.size(); ++i) parts.push_back(c.dout[i] ? c.dout[i] : ops::zeros_like(c.out[i]));
  return apply_all("concat", parts, {{"axis", c.attrs.integer("axis", -1)}})[0];
}

std::vector<Tensor> vjp_split(const VjpContext& c) {
  std::vector<Tensor> gradients(c.in.size());
  gradients[0] = concat_of_gradients(c);
  return gradients;
}

// ---- slice

/// One axis of a slice with a known size: elements first, first + stride, ... `count` of them.
struct Range {
  std::int64_t first, stride, count;
};

/// Python's slice rules; a stop of INT64_MAX means to the end in the direction of the stride.
Range resolve_range(std::int64_t start, std::int64_t stop, std::int64_t stride, std::int64_t size) {
  // A longer stride takes no more than one element either.
  const std::int64_t longest = std::max<std::int64_t>(size, 1);
  stride = std::clamp(stride, -longest, longest);
  const bool forward = stride > 0;
  const std::int64_t least = forward ? 0 : -1, most = forward ? size : size - 1;
  auto resolve = [&](std::int64_t position) {
    if (position < 0) position = position < -size ? least : position + size;
    return std::clamp(position, least, std::max(least, most));
  };
  const std::int64_t first = resolve(start), last = stop == kToTheEnd && !forward ? -1 : resolve(stop);
  const std::int64_t length = forward ? last - first : first - last, step = forward ? stride : -stride;
  return {first, stride, length <= 0 ? 0 : (length + step - 1) / step};
}

struct SliceAttrs {
  Integers starts, stops, strides;
  bool takes_all(int axis) const { return starts[axis] == 0 && stops[axis] == kToTheEnd && strides[axis] == 1; }
  Range range(int axis, std::int64_t size) const {
    return resolve_range(starts[axis], stops[axis], strides[axis], size);
  }
};

SliceAttrs slice_attrs(const TensorSpec& x, const Attrs& attrs) {
  SliceAttrs slice{attrs.integers("starts", {}), attrs.integers("stops", {}), attrs.integers("strides", {})};
  const std::size_t rank = static_cast<std::size_t>(x.shape.rank());
  if (slice.strides.empty()) slice.strides.assign(rank, 1);
  if (slice.starts.size() != rank) throw wrong_length("starts", slice.starts, x);
  if (slice.stops.size() != rank) throw wrong_length("stops", slice.stops, x);
  if (slice.strides.size() != rank) throw wrong_length("strides", slice.strides, x);
  for (std::int64_t stride : slice.strides)
    if (stride == 0)
      throw value_error("strides ", as_tuple(slice.strides),
                        " hold a 0; a stride is at least 1, or negative to go backwards.");
  return slice;
}

Shape sliced_shape(const TensorSpec& x, const SliceAttrs& slice) {
  Shape shape = x.shape;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != Shape::kUnknown) shape[axis] = slice.range(axis, shape[axis]).count;
  return shape;
}

Specs infer_slice(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  return {{in[0].dtype, sliced_shape(in[0], slice_attrs(in[0], attrs))}};
}

Specs infer_slice_grad(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  const Shape expected = sliced_shape(in[1], slice_attrs(in[1], attrs));
  if (!shapes_agree(in[0].shape, expected))
    throw value_error("the gradient is ", in[0], " but the slice of ", in[1], " has the shape ", expected, ".");
  return {{in[0].dtype, in[1].shape}};
}

/// The copy between x (strided, the first of the pair) and its slice (contiguous).
StridedCopy slice_copy(const TensorSpec& x, const TensorSpec& part, const Attrs& attrs, bool into_x) {
  StridedCopy copy = copy_of(part.dtype);
  const SliceAttrs slice = slice_attrs(x, attrs);
  const Integers x_strides = strides_of(x.shape, copy.element), part_strides = strides_of(part.shape, copy.element);
  std::int64_t offset = 0;
  for (int axis = 0; axis < x.shape.rank(); ++axis) {
    const Range range = slice.range(axis, x.shape[axis]);
    const std::int64_t x_step = x_strides[axis] * range.stride;
    offset += range.first * x_strides[axis];
    copy.add_axis(range.count, into_x ? part_strides[axis] : x_step, into_x ? x_step : part_strides[axis]);
  }
  (into_x ? copy.out_offset : copy.in_offset) = offset;
  return copy;
}

Moves slice_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return one_move(slice_copy(in[0], out[0], attrs, false));
}
Moves slice_grad_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return one_move(slice_copy(out[0], in[0], attrs, true));
}

Kernel plan_slice_grad(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const std::int64_t bytes = static_cast<std::int64_t>(out[0].bytes());
  return {.run =
              [bytes, move = slice_grad_moves(in, out, attrs)[0]](const Buffers& b) {
                const char zero = 0;
                movement_kernels().fill(1, bytes, &zero, b.out[0]);
                movement_kernels().strided_copy(move.copy, b.in[0], b.out[0]);
              },
          .label = "slice_grad"};
}

std::vector<Tensor> vjp_slice(const VjpContext& c) { return {apply("slice_grad", {c.dout[0], c.in[0]}, c.attrs)}; }
std::vector<Tensor> vjp_slice_grad(const VjpContext& c) { return {apply("slice", {c.dout[0]}, c.attrs), Tensor()}; }

// ---- tile and flip

Integers repeats_of(const TensorSpec& x, const Attrs& attrs) {
  Integers repeats = attrs.integers("repeats", {});
  if (static_cast<int>(repeats.size()) != x.shape.rank()) throw wrong_length("repeats", repeats, x);
  for (std::int64_t n : repeats)
    if (n < 0) throw value_error("repeats ", as_tuple(repeats), " hold a negative number; each is at least 0.");
  return repeats;
}

Specs infer_tile(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const Integers repeats = repeats_of(in[0], attrs);
  Shape shape = in[0].shape;
  for (int axis = 0; axis < shape.rank(); ++axis) shape[axis] = Shape{shape[axis], repeats[axis]}.elements();
  return {{in[0].dtype, shape}};
}

Moves tile_moves(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  StridedCopy copy = copy_of(in[0].dtype);
  const Integers from = strides_of(in[0].shape, copy.element), to = strides_of(out[0].shape, copy.element);
  const Integers repeats = repeats_of(in[0], attrs);
  for (int axis = 0; axis < in[0].shape.rank(); ++axis) {
    copy.add_axis(repeats[axis], 0, to[axis] * in[0].shape[axis]);
    copy.add_axis(in[0].shape[axis], from[axis], to[axis]);
  }
  return one_move(copy);
}

/// Sum over the repeats of one axis, as dy[before, repeats, size * after].
Tensor untiled(const Tensor& dy, const Shape& x, int axis, std::int64_t repeats) {
  const std::int64_t before = x.product(0, axis), after = x.product(axis, x.rank());
  if (before == Shape::kUnknown && after == Shape::kUnknown)
    throw Error(ErrorKind::NotImplemented, str("tile: the gradient along axis ", axis, " of shape ", x,
                                               " needs all sizes before the axis, or all from it on, to be known."));
  return ops::sum(ops::reshape(dy, {before, repeats, after}), {1});
}

std::vector<Tensor> vjp_tile(const VjpContext& c) {
  const Integers repeats = repeats_of(c.in[0].spec(), c.attrs);
  const Shape& x = c.in[0].shape();
  if (x.known() && x.elements() == 0) return {ops::zeros_like(c.in[0])};
  Tensor dx = c.dout[0];
  // From the outermost axis on: what comes before an axis is x's size already, what comes after is still tiled.
  Shape tiled = c.out[0].shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (repeats[axis] != 1) {
      tiled[axis] = x[axis];
      dx = untiled(dx, tiled, axis, repeats[axis]);
    }
  }
  return {ops::reshape_like(dx, c.in[0])};
}

std::vector<bool> flipped_axes(const TensorSpec& x, const Attrs& attrs) {
  std::vector<bool> flipped(x.shape.rank(), false);
  for (std::int64_t axis : attrs.integers("axes", {})) flipped[resolve_axis(axis, x.shape.rank())] = true;
  return flipped;
}

Specs infer_flip(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  flipped_axes(in[0], attrs);
  return {in[0]};
}

Moves flip_moves(SpecSpan in, SpecSpan, const Attrs& attrs) {
  StridedCopy copy = copy_of(in[0].dtype);
  const Integers strides = strides_of(in[0].shape, copy.element);
  const std::vector<bool> flipped = flipped_axes(in[0], attrs);
  for (int axis = 0; axis < in[0].shape.rank(); ++axis) {
    const std::int64_t size = in[0].shape[axis];
    copy.add_axis(size, flipped[axis] ? -strides[axis] : strides[axis], strides[axis]);
    if (flipped[axis]) copy.in_offset += (size - 1) * strides[axis];
  }
  return one_move(copy);
}

std::vector<Tensor> vjp_flip(const VjpContext& c) { return {apply("flip", {c.dout[0]}, c.attrs)}; }

}  // namespace

std::optional<SlicedAxis> sliced_axis(const TensorSpec& x, const Attrs& attrs) {
  const SliceAttrs slice = slice_attrs(x, attrs);
  std::optional<SlicedAxis> sliced;
  for (int axis = 0; axis < x.shape.rank(); ++axis) {
    if (slice.takes_all(axis)) continue;
    const Range range = slice.range(axis, x.shape[axis]);
    if (range.first == 0 && range.stride == 1 && range.count == x.shape[axis]) continue;
    if (sliced || range.stride != 1 || range.count == 0) return std::nullopt;
    sliced = {axis, range.first, range.first + range.count};
  }
  return sliced;
}

std::vector<Move> moves_of(std::string_view primitive, SpecSpan in, SpecSpan out, const Attrs& attrs) {
  if (primitive == "transpose") return transpose_moves(in, out, attrs);
  if (primitive == "broadcast_to" || primitive == "broadcast_like") return broadcast_moves(in, out, attrs);
  if (primitive == "concat") return concat_moves(in, out, attrs);
  if (primitive == "split" || primitive == "split_like") return split_moves(in, out, attrs);
  if (primitive == "slice") return slice_moves(in, out, attrs);
  if (primitive == "slice_grad") return slice_grad_moves(in, out, attrs);
  if (primitive == "tile") return tile_moves(in, out, attrs);
  return flip_moves(in, out, attrs);
}

void register_movement() {
  constexpr unsigned kFirst = 1, kSecond = 2;
  register_primitive(
      {.name = "reshape", .infer = infer_reshape, .plan = nullptr, .vjp = vjp_reshape, .is_alias = true});
  register_primitive({.name = "reshape_like",
                      .infer = infer_reshape_like,
                      .plan = nullptr,
                      .vjp = vjp_reshape_like,
                      .is_alias = true,
                      .shape_only_inputs = kSecond});
  register_primitive(
      {.name = "transpose", .infer = infer_transpose, .plan = plan_moves<transpose_moves>, .vjp = vjp_transpose});
  register_primitive(
      {.name = "broadcast_to", .infer = infer_broadcast_to, .plan = plan_moves<broadcast_moves>, .vjp = vjp_broadcast});
  register_primitive({.name = "broadcast_like",
                      .infer = infer_broadcast_like,
                      .plan = plan_moves<broadcast_moves>,
                      .vjp = vjp_broadcast,
                      .shape_only_inputs = kSecond});
  register_primitive({.name = "concat", .infer = infer_concat, .plan = plan_moves<concat_moves>, .vjp = vjp_concat});
  register_primitive({.name = "split", .infer = infer_split, .plan = plan_moves<split_moves>, .vjp = vjp_split});
  register_primitive({.name = "split_like",
                      .infer = infer_split_like,
                      .plan = plan_moves<split_moves>,
                      .vjp = vjp_split,
                      .shape_only_inputs = ~kFirst});
  register_primitive({.name = "slice", .infer = infer_slice, .plan = plan_moves<slice_moves>, .vjp = vjp_slice});
  register_primitive({.name = "slice_grad",
                      .infer = infer_slice_grad,
                      .plan = plan_slice_grad,
                      .vjp = vjp_slice_grad,
                      .shape_only_inputs = kSecond});
  register_primitive({.name = "tile", .infer = infer_tile, .plan = plan_moves<tile_moves>, .vjp = vjp_tile});
  register_primitive({.name = "flip", .infer = infer_flip, .plan = plan_moves<flip_moves>, .vjp = vjp_flip});
}

}  // namespace dlcore
