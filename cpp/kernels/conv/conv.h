// Two-dimensional convolution and its gradients on NHWC images with HWIO weights.
//
//   y[n, oh, ow, co] = b[co] + sum over kh, kw, ci of
//                      x[n, oh*stride_h + kh*dilation_h - pad_top, ow*stride_w + kw*dilation_w - pad_left, g*I + ci]
//                      * w[kh, kw, ci, co]        with g = co / (cout / groups), I = cin / groups, x = 0 outside of the
//                      image
//
// Each of the three classes plans for one shape (tables, blocking, algorithm) and then runs any number of times.
// run() allocates nothing, writes every element of its output, splits work by shape only (the bits do not depend on the
// number of threads) and needs scratch_bytes() of 64-byte aligned scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/activation.h"

namespace dlcore {

struct ConvShape {
  std::int64_t n, h, w, cin;
  std::int64_t oh, ow, cout;
  std::int64_t kh, kw;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0;  // what lies beyond the other edges follows from oh and ow
  std::int64_t groups = 1;

  std::int64_t cin_per_group() const { return cin / groups; }
  std::int64_t cout_per_group() const { return cout / groups; }
  /// Operations of any of the three computations, borders counted as if x had been padded.
  double flops() const { return 2.0 * n * oh * ow * cout * kh * kw * cin_per_group(); }
};

/// Whether it is a product of matrices, [pixels, input channels] and [input channels, output channels]: a filter of one
/// tap reads every pixel.
bool is_product(const ConvShape& shape);

/// "conv2d_implicit_gemm_f32_avx512", after the algorithm that is chosen for the shape.
template <class T>
std::string conv_label(const char* op, const ConvShape& shape);

template <class T>
class ConvForward {
 public:
  explicit ConvForward(const ConvShape& shape);
  ~ConvForward();
  std::size_t scratch_bytes() const;
  /// y = activation(conv(x, w) + bias). bias may be null.
  void run(const T* x, const T* w, const T* bias, Activation activation, T* y, void* scratch) const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

/// Taps row, row + stride_h, ... by col, col + stride_w, ..., and the pixels of the input that they read.
struct Residue {
  std::int64_t row, col;
  friend bool operator==(const Residue&, const Residue&) = default;
};

template <class T>
class ConvBackwardInput {
 public:
  explicit ConvBackwardInput(const ConvShape& shape);
  /// Of the pixels of these residues by the strides only; the others stay as they are. shape.groups is 1.
  ConvBackwardInput(const ConvShape& shape, const std::vector<Residue>& residues);
  ~ConvBackwardInput();
  std::size_t scratch_bytes() const;
  void run(const T* dy, const T* w, T* dx, void* scratch) const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

template <class T>
class ConvBackwardWeights {
 public:
  explicit ConvBackwardWeights(const ConvShape& shape);
  ~ConvBackwardWeights();
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* dy, T* dw, void* scratch) const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

}  // namespace dlcore
