// What the recurrent kernels of one instruction set do for a range of batch rows; used through rnn.h only.
#pragma once

#include "kernels/rnn/rnn.h"

namespace dlcore {

/// The workspace [T,B]: vectors of U that a step saves for the backward pass.
struct RnnLayout {
  int saved;     // how many; the cells of forward.simd.h name them
  int h_before;  // which of them is h before the step
  int reset;     // GruResetBefore: which is g(r) * h
  int deltas;    // vectors of U in the gradients of the sums in the gates
};
[[gnu::always_inline]] constexpr RnnLayout rnn_layout(RnnCell cell) {
  switch (cell) {
    case RnnCell::Lstm:
      return {7, 6, 0, 4};  // i, f, g, o, c before, f(c), h before
    case RnnCell::GruResetAfter:
      return {5, 4, 0, 4};  // z, r, n, n_h, h before; deltas of z, r, n_x, n_h
    case RnnCell::GruResetBefore:
      return {5, 3, 4, 3};  // z, r, n, h before, r * h
    default:
      return {2, 1, 0, 1};  // h, h before
  }
}

/// Batch rows that go through time together: enough to serve from one panel of weights, few enough to occupy threads.
[[gnu::always_inline]] constexpr std::int64_t rnn_chunk_rows(std::int64_t batch) {
  return batch <= 8 ? (batch < 1 ? 1 : batch) : batch < 32 ? 8 : batch <= 256 ? 16 : 32;
}

/// (Step, row) pairs that are multiplied by w_x, and whose gradients by its transpose, together: a panel of weights
/// serves all of them from L1.
inline constexpr std::int64_t kBlockRows = 128;

/// Gradients of the weights, summed over some of the batch rows.
template <class T>
struct RnnPartial {
  T *dw_x, *dw_h;  // as rnn.h has them
  T* db;           // [deltas*U]
};

template <class T>
struct RnnRows {
  /// Elements of packed weights, and of scratch for rnn_chunk_rows rows.
  std::int64_t (*packed_forward)(const RnnShape&);
  std::int64_t (*packed_backward)(const RnnShape&);
  std::int64_t (*scratch_forward)(const RnnShape&);
  std::int64_t (*scratch_backward)(const RnnShape&);
  void (*pack_forward)(const RnnShape&, const T* w_x, const T* w_h, T* packed);
  void (*pack_backward)(const RnnShape&, const T* w_x, const T* w_h, T* packed);
  /// All steps of batch rows [first, first + rows), at most rnn_chunk_rows.
  void (*forward)(const RnnShape&, const RnnForward<T>&, const T* packed, std::int64_t first, std::int64_t rows,
                  T* scratch);
  /// The same backwards; adds to `sums`.
  void (*backward)(const RnnShape&, const RnnBackward<T>&, const T* packed, const RnnPartial<T>& sums,
                   std::int64_t first, std::int64_t rows, T* scratch);
};

struct RnnKernels {
  RnnRows<float> f32;
  RnnRows<double> f64;
};
const RnnKernels& rnn_kernels();

}  // namespace dlcore
