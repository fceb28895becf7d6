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

/// (Step, row) pairs that are multiplied by w_x together: a panel of weights serves all of them from L1.
inline constexpr std::int64_t kBlockRows = 128;

/// Rows that are too few to be divided.
inline constexpr std::int64_t kOneChunk = 8;

/// Whether threads share the units of every step, and all rows go through time together: where a step is worth two
/// threads and its rows are too few. Otherwise they share the rows, and none waits for another or for its caches.
[[gnu::always_inline]] inline bool rnn_by_units(const RnnShape& s) {
  constexpr std::int64_t kWorthSharing = 12'000;  // multiplications
  return s.batch <= kOneChunk && s.batch * rnn_gates(s.cell) * s.units * s.units >= kWorthSharing;
}

/// Batch rows of a chunk: enough to serve from one panel of weights, few enough to occupy threads, of which two get the
/// same number of chunks. Their deltas are added up before those of others.
[[gnu::always_inline]] inline std::int64_t rnn_chunk_rows(const RnnShape& s) {
  if (s.chunk_rows > 0) return s.chunk_rows;
  if (s.batch <= kOneChunk) return s.batch < 1 ? 1 : s.batch;
  const std::int64_t rows_of_two = s.batch <= 64 ? 16 : s.batch <= 256 ? 32 : 64;
  const std::int64_t chunks = (s.batch + rows_of_two - 1) / rows_of_two * 2;
  return (s.batch + chunks - 1) / chunks;
}

/// Batch rows that go through time together.
[[gnu::always_inline]] inline std::int64_t rnn_pass_rows(const RnnShape& s) { return rnn_chunk_rows(s) * s.together; }

/// Columns of w_h: `vectors` of them from `into` on multiply one of the saved vectors, and their deltas start at
/// `from`.
struct RecurrentPart {
  int saved, from, into, vectors;
};
/// The columns that multiply h, in at most two parts; the first has all but those of the candidate of a GRU.
struct RecurrentParts {
  RecurrentPart part[2];
  int count;
  int states;  // different ones that they multiply
};
[[gnu::always_inline]] constexpr RecurrentParts recurrent_parts(RnnCell cell) {
  const RnnLayout layout = rnn_layout(cell);
  switch (cell) {
    case RnnCell::GruResetAfter:
      return {{{layout.h_before, 0, 0, 2}, {layout.h_before, 3, 2, 1}}, 2, 1};
    case RnnCell::GruResetBefore:
      return {{{layout.h_before, 0, 0, 2}, {layout.reset, 2, 2, 1}}, 2, 2};
    default:
      return {{{layout.h_before, 0, 0, rnn_gates(cell)}, {}}, 1, 1};
  }
}

/// From row to row of the deltas, in elements: an odd number of cache lines, which spreads the rows in L1.
template <class T>
[[gnu::always_inline]] constexpr std::int64_t rnn_delta_stride(const RnnShape& s) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  return ((rnn_layout(s.cell).deltas * s.units + kLine - 1) / kLine | 1) * kLine;
}

/// What the way back through time leaves of every row and step, in the order of x.
template <class T>
struct RnnDeltas {
  T* deltas;     // [B,T], rows rnn_delta_stride apart: the gradients of the sums in the gates
  T* states[2];  // [B,T,U]: what the recurrent weights were multiplied with
  T* db;         // of each chunk [deltas*U], db_stride apart: the sum of the deltas over its rows
  std::int64_t db_stride;
};

template <class T>
struct RnnRows {
  /// Elements of packed weights, and of scratch for rnn_pass_rows rows.
  std::int64_t (*packed_forward)(const RnnShape&);
  std::int64_t (*packed_backward)(const RnnShape&);
  std::int64_t (*scratch_forward)(const RnnShape&);
  std::int64_t (*scratch_backward)(const RnnShape&);
  /// Null weights are not packed.
  void (*pack_forward)(const RnnShape&, const T* w_x, const T* w_h, T* packed);
  void (*pack_backward)(const RnnShape&, const T* w_h, T* packed);
  /// All steps of batch rows [first, first + rows), at most rnn_pass_rows; a chunk begins with the first.
  void (*forward)(const RnnShape&, const RnnForward<T>&, const T* packed, std::int64_t first, std::int64_t rows,
                  T* scratch);
  /// The same backwards: dh0 and dc0, and what the other gradients are made of.
  void (*backward)(const RnnShape&, const RnnBackward<T>&, const T* packed, const RnnDeltas<T>& left,
                   std::int64_t first, std::int64_t rows, T* scratch);
  /// In place, the deltas of all steps and rows become those of the rows of x, by an inverse: each the sum over all
  /// places where it is, in their order. Behind them there are zeros, up to so many rows.
  void (*merge_deltas)(const RnnShape&, const std::int32_t* inverse, std::int64_t rows, T* deltas);
};

struct RnnKernels {
  RnnRows<float> f32;
  RnnRows<double> f64;
};
const RnnKernels& rnn_kernels();

}  // namespace dlcore
