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

/// Copy through a table per axis:  out[i_0, ..., i_r] = in[sum_k source_k[i_k]]  or the fill element if a source is -1.
/// The output is contiguous; the sources are byte offsets. In the innermost axis, positions [run_first, run_last) read
/// consecutive elements: of their sources only the first is read. Threads: cut by shape over the rows.
struct TableCopy {
  int element = 4;  // bytes
  std::vector<std::vector<std::int64_t>> source;
  std::vector<std::int64_t> size;
  std::int64_t run_first = 0, run_last = 0;

  /// In front of those there are: the first to be added is the innermost.
  void add_axis(std::vector<std::int64_t> from, std::int64_t n) {
    source.insert(source.begin(), std::move(from));
    size.insert(size.begin(), n);
  }
};

struct MovementKernels {
  /// copy: simplified. in and out do not overlap.
  void (*strided_copy)(const StridedCopy& copy, const void* in, void* out);
  /// The parts of a TableCopy of at least one axis. fill: the bytes of one element.
  void (*table_copy)(int element, int rank, const std::int64_t* const* source, const std::int64_t* size,
                     std::int64_t run_first, std::int64_t run_last, const void* fill, const void* in, void* out);
  /// out[i] = *value for i < n elements of `element` bytes.
  void (*fill)(int element, std::int64_t n, const void* value, void* out);
};

/// The kernels of this processor's instruction set.
const MovementKernels& movement_kernels();

/// table_copy on a TableCopy.
void run_table_copy(const TableCopy& copy, const void* fill, const void* in, void* out);

/// out = in, `bytes` of them, on several threads.
void copy_bytes(const void* in, void* out, std::int64_t bytes);

}  // namespace dlcore
