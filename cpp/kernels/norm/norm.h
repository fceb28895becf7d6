// Batch and layer normalisation:  y = (x - mean) * rstd * gamma + beta,  rstd = 1 / sqrt(var +
// epsilon)
//
// Means and variances are taken in two passes over pieces that fit a cache; pieces are joined in double, in a fixed
// order (Chan, Golub & LeVeque 1983). How x is cut depends on its shape alone, so the bits do not depend on the thread
// count. No alignment is needed. All outputs are overwritten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/float16.h"

namespace dlcore {

/// x[outer, channels, inner], normalised over outer and inner, and how it is cut for that.
struct BatchNormView {
  std::int64_t outer, channels, inner;

  // inner == 1: `groups` rows side by side are one wide row of whole vectors; a piece is `piece` wide rows.
  // inner > 1: groups is 1 and a piece is up to `piece` elements of one channel's run.
  std::int64_t groups, wide, piece, pieces;

  BatchNormView(std::int64_t outer, std::int64_t channels, std::int64_t inner);
  /// Rows of all pieces together that fill no wide row; they are a piece of their own.
  std::int64_t leftover() const { return inner == 1 ? outer % groups : 0; }
  std::size_t scratch_bytes(std::size_t element) const;
};

/// How the rows of layer_norm_grad are cut.
struct LayerNormView {
  std::int64_t rows, size;
  std::int64_t piece, pieces;

  LayerNormView(std::int64_t rows, std::int64_t size);
  std::size_t grad_scratch_bytes(std::size_t element) const;
};

/// What a norm of elements E is computed in.
template <class E>
using NormType = std::conditional_t<std::is_same_v<E, double>, double, float>;

/// E: float or double, or Bfloat, for which view.inner is 1.
template <class E, class T = NormType<E>>
struct BatchNormKernels {
  /// x, y [outer, channels, inner]; gamma, beta, mean, var (biased), rstd [channels]. relu: y is rectified. y may be x.
  void (*forward)(const BatchNormView& view, double epsilon, bool relu, const E* x, const T* gamma, const T* beta, E* y,
                  T* mean, T* var, T* rstd, void* scratch);
  /// dx of the whole formula, mean and variance included; dgamma, dbeta [channels]. beta: of a y that was rectified,
  /// else null. dx may be dy or x.
  void (*gradient)(const BatchNormView& view, const E* x, const T* gamma, const T* beta, const T* mean, const T* rstd,
                   const E* dy, E* dx, T* dgamma, T* dbeta, void* scratch);
};

/// E: float, double or Bfloat.
template <class E, class T = NormType<E>>
struct LayerNormKernels {
  /// x, y [rows, size]; gamma, beta [size]; mean, rstd [rows]. y may be x. No scratch.
  void (*forward)(const LayerNormView& view, double epsilon, const E* x, const T* gamma, const T* beta, E* y, T* mean,
                  T* rstd);
  /// dx may be dy or x; dgamma, dbeta [size].
  void (*gradient)(const LayerNormView& view, const E* x, const T* gamma, const T* mean, const T* rstd, const E* dy,
                   E* dx, T* dgamma, T* dbeta, void* scratch);
};

const BatchNormKernels<float>& batch_norm_kernels_f32();
const BatchNormKernels<double>& batch_norm_kernels_f64();
const BatchNormKernels<Bfloat>& batch_norm_kernels_bf16();
const LayerNormKernels<float>& layer_norm_kernels_f32();
const LayerNormKernels<double>& layer_norm_kernels_f64();
const LayerNormKernels<Bfloat>& layer_norm_kernels_bf16();

}  // namespace dlcore
