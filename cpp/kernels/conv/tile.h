// The register tile that all convolutions are made of: a matrix product whose left operand has separable addresses.
//
//   C[r, j] = act(bias[j] + [C[r, j] +] sum over k < K of A[r, k] * B[k, j])             r < mr, j < cols
//   A[r, k] = a_rows[r][a(k)]        B[k, j] = b[b(k) + j]        C[r, j] = c_rows[r][j]
//
// The pixel that a filter tap reads for an output pixel lies at "where the output pixel begins" plus "how far the tap
// is from there", so any stride, dilation and group is a matter of pointers and offsets, and no patch matrix is built.
// The offsets a(k) and b(k) come in runs of equal steps: the channels of a pixel, the pixels of a row.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/activation.h"

namespace dlcore {

/// Some k's: a(k) = a, a + a_step, ... and b(k) = b, b + b_step, ...
struct TileRun {
  std::int64_t a, b, length;
};

/// The offsets of all k's, in order.
class TileRuns {
 public:
  void add(std::int64_t a, std::int64_t b);
  std::int64_t k() const { return k_; }

  std::vector<TileRun> runs;
  std::int64_t a_step = 0, b_step = 0;

 private:
  std::int64_t k_ = 0;
};

template <class T>
struct TileArgs {
  const T* const* a_rows;  // mr pointers
  const TileRun* runs;     // of at least K k's in all
  std::int64_t a_step, b_step;
  std::int64_t k;  // K >= 0
  const T* b;
  T* const* c_rows;   // mr pointers
  std::int64_t cols;  // (nv - 1) * lanes < cols <= nv * lanes; nothing beyond is read or written
  bool accumulate;    // whether C is read and added
  const T* bias;      // cols numbers, or null
  Activation activation;
};

inline constexpr int kMaxTileRows = 14;
inline constexpr int kMaxTileVectors = 4;

/// The tiles of one type and instruction set.
template <class T>
struct TileSet {
  int lanes;                          // of one vector
  int max_vectors;                    // of a tile's row
  int max_rows[kMaxTileVectors + 1];  // by the number of vectors; 0: no tile has that many
  /// tile[nv][mr], 1 <= nv <= max_vectors, 1 <= mr <= max_rows[nv].
  void (*tile[kMaxTileVectors + 1][kMaxTileRows + 1])(const TileArgs<T>& args);

  int vectors_of(std::int64_t cols) const { return static_cast<int>((cols + lanes - 1) / lanes); }
};

struct TileKernels {
  TileSet<float> f32;
  TileSet<double> f64;
};

const TileKernels& tile_kernels();

template <class T>
const TileSet<T>& tile_set();
template <>
inline const TileSet<float>& tile_set() {
  return tile_kernels().f32;
}
template <>
inline const TileSet<double>& tile_set() {
  return tile_kernels().f64;
}

}  // namespace dlcore
