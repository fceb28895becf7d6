// Kernels that move elements without looking at them: every element is 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace dlcore {

/// How the two innermost axes of a StridedCopy are walked; chosen by simplify().
enum class CopyKind : std::uint8_t {
  Nothing,    // no elements
  Runs,       // the innermost axis is contiguous on both sides
  Fill,       // one input element becomes a contiguous run
  Reverse,    // a contiguous run, backwards
  Transpose,  // input contiguous along the last axis but one, output along the last
  Strided     // anything else, element by element
};

/// Strided copy:  out[out_offset + sum_k i_k * out_stride_k] = in[in_offset + sum_k i_k * in_stride_k],  0 <= i_k <
/// size_k Axes outermost first. Offsets and strides in bytes; input strides may be 0 (broadcast) or negative (flip). No
/// two indices write the same output byte. Threads: cut by shape over all axes.
struct StridedCopy {
  static constexpr int kMaxRank = 16;
  int rank = 0;
  CopyKind kind = CopyKind::Strided;
  int element = 4;  // bytes
  std::int64_t size[kMaxRank]{}, in_stride[kMaxRank]{}, out_stride[kMaxRank]{};
  std::int64_t in_offset = 0, out_offset = 0;

  void add_axis(std::int64_t n, std::int64_t in_step, std::int64_t out_step) {
    size[rank] = n;
    in_stride[rank] = in_step;
    out_stride[rank++] = out_step;
  }
};

/// The same copy with as few axes as possible (at least two), as wide an element as possible, and its kind.
StridedCopy simplify(const StridedCopy& copy);

enum class PadMode : std::uint8_t { Constant, Reflect, Symmetric };

/// Padding:  out[i_0, ..., i_r, k] = in[s_0, ..., s_r, k],  k < inner, s_a = i_a - low_a where that is in [0, size_a).
/// Elsewhere it is that position mirrored at the end of the axis, which is repeated (Symmetric) or not (Reflect), or
/// out is the fill element (Constant). At least one axis; no mirrored padding is longer than what it mirrors. Both
/// arrays are contiguous. Threads: cut by shape over all axes but the last.
struct PadCopy {
  static constexpr int kMaxRank = StridedCopy::kMaxRank;
  PadMode mode = PadMode::Constant;
  int element = 4;  // bytes
  int rank = 0;
  std::int64_t size[kMaxRank]{}, low[kMaxRank]{}, high[kMaxRank]{};
  std::int64_t inner = 1;

  void add_axis(std::int64_t n, std::int64_t before, std::int64_t after) {
    size[rank] = n;
    low[rank] = before;
    high[rank++] = after;
  }
};

struct MovementKernels {
  /// copy: simplified. in and out do not overlap.
  void (*strided_copy)(const StridedCopy& copy, const void* in, void* out);
  /// fill: the bytes of one element.
  void (*pad)(const PadCopy& copy, const void* fill, const void* in, void* out);
  /// out[i] = *value for i < n elements of `element` bytes.
  void (*fill)(int element, std::int64_t n, const void* value, void* out);
};

/// The kernels of this processor's instruction set.
const MovementKernels& movement_kernels();

/// out = in, `bytes` of them, on several threads.
void copy_bytes(const void* in, void* out, std::int64_t bytes);

}  // namespace dlcore
