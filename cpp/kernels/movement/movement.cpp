#include "kernels/movement/movement.h"

#include <algorithm>
#include <cstring>

#include "base/isa.h"
#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(MovementKernels, movement_kernels)

namespace {

bool is_empty(const StridedCopy& copy) { return std::count(copy.size, copy.size + copy.rank, 0) > 0; }

// Axes of size 1 go; an axis whose steps continue those of the next inner one becomes one with it.
StridedCopy merge_axes(const StridedCopy& copy) {
  StridedCopy merged = copy;
  merged.rank = 0;
  for (int axis = 0; axis < copy.rank; ++axis) {
    const std::int64_t n = copy.size[axis], in_step = copy.in_stride[axis], out_step = copy.out_stride[axis];
    if (n == 1) continue;
    const int last = merged.rank - 1;
    if (last >= 0 && merged.in_stride[last] == in_step * n && merged.out_stride[last] == out_step * n) {
      merged.rank = last;
      merged.add_axis(merged.size[last] * n, in_step, out_step);
    } else {
      merged.add_axis(n, in_step, out_step);
    }
  }
  return merged;
}

bool is_run(const StridedCopy& copy, int axis) {
  return copy.in_stride[axis] == copy.element && copy.out_stride[axis] == copy.element;
}

// A run of 2, 4 or 8 bytes is one wider element.
void widen(StridedCopy& copy) {
  if (copy.rank < 2 || !is_run(copy, copy.rank - 1)) return;
  const std::int64_t bytes = copy.size[copy.rank - 1] * copy.element;
  if (bytes != 2 && bytes != 4 && bytes != 8) return;
  copy.element = static_cast<int>(bytes);
  --copy.rank;
}

void put_axis_in_front_of_last(StridedCopy& copy, int axis) {
  for (std::int64_t* field : {copy.size, copy.in_stride, copy.out_stride})
    std::rotate(field + axis, field + axis + 1, field + copy.rank - 1);
}

CopyKind kind_of(StridedCopy& copy) {
  const int last = copy.rank - 1;
  if (copy.out_stride[last] != copy.element) return CopyKind::Strided;
  if (copy.in_stride[last] == copy.element) return CopyKind::Runs;
  if (copy.in_stride[last] == 0) return CopyKind::Fill;
  if (copy.in_stride[last] == -copy.element) return CopyKind::Reverse;
  for (int axis = 0; axis < last; ++axis) {
    if (copy.in_stride[axis] != copy.element) continue;
    put_axis_in_front_of_last(copy, axis);
    return CopyKind::Transpose;
  }
  return CopyKind::Strided;
}

void pad_rank(StridedCopy& copy) {
  const int missing = std::max(0, 2 - copy.rank);
  for (std::int64_t* field : {copy.size, copy.in_stride, copy.out_stride})
    std::copy_backward(field, field + copy.rank, field + copy.rank + missing);
  copy.rank += missing;
  for (int axis = 0; axis < missing; ++axis) {
    copy.size[axis] = 1;
    copy.in_stride[axis] = copy.out_stride[axis] = axis + 1 == copy.rank ? copy.element : 0;
  }
}

}  // namespace

StridedCopy simplify(const StridedCopy& copy) {
  StridedCopy simple = merge_axes(copy);
  widen(simple);
  pad_rank(simple);
  simple.kind = is_empty(copy) ? CopyKind::Nothing : kind_of(simple);
  return simple;
}

void copy_bytes(const void* in, void* out, std::int64_t bytes) {
  constexpr std::int64_t kPiece = 1 << 17;
  parallel_for((bytes + kPiece - 1) / kPiece, static_cast<double>(bytes) * 0.1, [&](std::int64_t piece) {
    const std::int64_t first = piece * kPiece;
    std::memcpy(static_cast<char*>(out) + first, static_cast<const char*>(in) + first,
                static_cast<std::size_t>(std::min(kPiece, bytes - first)));
  });
}

}  // namespace dlcore
