// Softmax and cross-entropy kernels for float and double.
//
// "View" kernels work along the middle axis of x[outer, size, inner]; "row" kernels along the last axis of x[rows,
// size]. Everything is read or overwritten, nothing accumulated; no alignment is needed; no scratch. The first input
// that has the output's shape may be the output's buffer. Threads: split over rows; the bits do not depend on their
// number. All sums subtract the row's maximum m first: they are stable for any finite logits, and a logit of -inf has
// probability 0. A row that holds NaN, +inf, or nothing but -inf gives NaN.
#pragma once

#include <cstdint>

namespace dlcore {

struct SoftmaxView {
  std::int64_t outer, size, inner;
};

/// Class numbers, one per row, int32 or int64; all that count are in [0, size): see first_bad_label.
struct Labels {
  const void* data;
  bool wide;  // int64
  bool has_ignored;
  std::int64_t ignored;  // rows with this label have loss 0 and gradient 0

  std::int64_t at(std::int64_t row) const {
    return wide ? static_cast<const std::int64_t*>(data)[row] : static_cast<const std::int32_t*>(data)[row];
  }
};

/// The first row whose label is neither ignored nor in [0, size); -1 when there is none.
std::int64_t first_bad_label(const Labels& labels, std::int64_t rows, std::int64_t size);

template <class T>
struct SoftmaxKernels {
  /// y = exp(x - m) / sum exp(x - m)
  void (*softmax)(const SoftmaxView& view, const T* x, T* y);
  /// y = (x - m) - log sum exp(x - m)
  void (*log_softmax)(const SoftmaxView& view, const T* x, T* y);
  /// dx = y * (dy - sum dy*y)
  void (*softmax_grad)(const SoftmaxView& view, const T* dy, const T* y, T* dx);
  /// dx = dy - exp(y) * sum dy
  void (*log_softmax_grad)(const SoftmaxView& view, const T* dy, const T* y, T* dx);

  /// loss[r] = - sum_c target[r,c] * log_softmax(logits)[r,c]; classes with target 0 count nothing, whatever the logit.
  void (*xent)(std::int64_t rows, std::int64_t size, const T* logits, const T* target, T* loss);
  /// dlogits = dloss[r] * (softmax(logits) * sum_c target - target)
  void (*xent_grad)(std::int64_t rows, std::int64_t size, const T* dloss, const T* logits, const T* target, T* dlogits);
  /// loss[r] = - log_softmax(logits)[r, label[r]]
  void (*sparse_xent_logits)(std::int64_t rows, std::int64_t size, const T* logits, const Labels& labels, T* loss);
  /// dlogits = dloss[r] * (softmax(logits) - one_hot(label[r]))
  void (*sparse_xent_logits_grad)(std::int64_t rows, std::int64_t size, const T* dloss, const T* logits,
                                  const Labels& labels, T* dlogits);
  /// loss[r] = - log(clip(probs[r, label[r]] / sum_c probs, epsilon, 1 - epsilon))
  void (*sparse_xent)(std::int64_t rows, std::int64_t size, double epsilon, const T* probs, const Labels& labels,
                      T* loss);
  /// dprobs = dloss[r] * (1 / sum_c probs - one_hot(label[r]) / probs), 0 where the clip holds
  void (*sparse_xent_grad)(std::int64_t rows, std::int64_t size, double epsilon, const T* dloss, const T* probs,
                           const Labels& labels, T* dprobs);
  /// loss[i] = max(x, 0) - x*t + log(1 + exp(-|x|)), i < n
  void (*sigmoid_xent)(std::int64_t n, const T* logits, const T* target, T* loss);
  /// dlogits[i] = dloss[i] * (sigmoid(x) - t)
  void (*sigmoid_xent_grad)(std::int64_t n, const T* dloss, const T* logits, const T* target, T* dlogits);
};

const SoftmaxKernels<float>& softmax_kernels_f32();
const SoftmaxKernels<double>& softmax_kernels_f64();

}  // namespace dlcore
