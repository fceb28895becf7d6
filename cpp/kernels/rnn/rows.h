// What the recurrent kernels of one instruction set do for a range of batch rows; used through rnn.h only.
#pragma once

#include "kernels/rnn/rnn.h"

namespace dlcore {

/// The workspace: per step and row `saved` vectors of U, then rows [B,T,U] that the gradient products read.
struct RnnLayout {
  int saved;   // vectors of U per (step, row), as the cells of rows.simd.cpp name them
  int inputs;  // [B,T,U] matrices after them: h before the step; GruResetBefore: also g(r) * h
  int deltas;  // vectors of U per (row, time) in the gradients of what is added up in the gates
};
[[gnu::always_inline]] constexpr RnnLayout rnn_layout(RnnCell cell) {
  switch (cell) {
    case RnnCell::Lstm:
      return {6, 1, 4};
    case RnnCell::GruResetAfter:
      return {4, 1, 4};
    case RnnCell::GruResetBefore:
      return {3, 2, 3};
    default:
      return {1, 1, 1};
  }
}

/// Steps whose inputs are projected together, so that a panel of w_x serves about kProjectedRows rows from L1.
inline constexpr std::int64_t kProjectedRows = 128;

/// Gradients that the rows leave behind for the products over all steps.
template <class T>
struct RnnDeltas {
  T* all;   // [B,T,deltas*U]
  T* bias;  // [B,deltas*U]: the sum over the steps of each row
};

template <class T>
struct RnnRows {
  /// Elements of packed weights, and of scratch for chunk_rows rows.
  std::int64_t (*packed_forward)(const RnnShape&);
  std::int64_t (*packed_backward)(const RnnShape&);
  std::int64_t (*scratch_forward)(const RnnShape&);
  std::int64_t (*scratch_backward)(const RnnShape&);
  void (*pack_forward)(const RnnShape&, const T* w_x, const T* w_h, T* packed);
  void (*pack_backward)(const RnnShape&, const T* w_h, T* packed);
  /// All steps of batch rows [first, first + rows).
  void (*forward)(const RnnShape&, const RnnForward<T>&, const T* packed, std::int64_t first, std::int64_t rows,
                  T* scratch);
  void (*backward)(const RnnShape&, const RnnBackward<T>&, const T* packed, const RnnDeltas<T>&, std::int64_t first,
                   std::int64_t rows, T* scratch);
};

struct RnnKernels {
  RnnRows<float> f32;
  RnnRows<double> f64;
};
const RnnKernels& rnn_kernels();

}  // namespace dlcore
