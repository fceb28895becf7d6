#include "cuda/kernels/gemm.h"

#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

template <class T, int W>
__global__ void bias_activation_kernel(std::int64_t n, std::int64_t cols, const T* bias, Activation activation, T* c) {
  const std::int64_t i = thread_index() * W;
  if (i >= n) return;
  Pack<T, W>& at = *reinterpret_cast<Pack<T, W>*>(c + i);
  Pack<T, W> x = at;
  const std::int64_t column = i % cols;  // W divides cols
#pragma unroll
  for (int w = 0; w < W; ++w) {
    const math_t<T> b = bias ? to_math(bias[column + w]) : math_t<T>(0);
    x.v[w] = from_math<T>(activate(to_math(x.v[w]) + b, activation));
  }
  at = x;
}

/// A thread per element of C. T is unsigned.
template <class T>
__global__ void round_sums_kernel(std::int64_t n, const math_t<T>* sums, T* c) {
  const std::int64_t i = thread_index();
  if (i < n) c[i] = from_math<T>(sums[i]);
}

template <class T>
__global__ void integer_product_kernel(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a,
                                       bool transpose_b, const T* a, const T* b, const T* bias, T* c) {
  const std::int64_t at = thread_index();
  if (at >= m * n) return;
  const std::int64_t i = at / n, j = at % n;
  T sum = bias ? bias[j] : 0;
  for (std::int64_t p = 0; p < k; ++p)
    sum += (transpose_a ? a[p * m + i] : a[i * k + p]) * (transpose_b ? b[j * k + p] : b[p * n + j]);
  c[at] = sum;
}

}  // namespace

void bias_activation(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t cols, const void* bias,
                     Activation activation, void* c) {
  if (!bias && activation == Activation::None) return;
  const std::int64_t n = rows * cols;
  with_float(dtype, [&]<class T>(T) {
    constexpr int kWidth = 16 / sizeof(T);
    if (cols % kWidth == 0 && is_aligned(c, 16))
      launch(bias_activation_kernel<T, kWidth>, blocks_for(n / kWidth, kThreads), kThreads, 0, stream, n, cols,
             static_cast<const T*>(bias), activation, static_cast<T*>(c));
    else
      launch(bias_activation_kernel<T, 1>, blocks_for(n, kThreads), kThreads, 0, stream, n, cols,
             static_cast<const T*>(bias), activation, static_cast<T*>(c));
  });
}

void round_sums(cudaStream_t stream, DType dtype, std::int64_t n, const void* sums, void* c) {
  with_float(dtype, [&]<class T>(T) {
    launch(round_sums_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, n, static_cast<const math_t<T>*>(sums),
           static_cast<T*>(c));
  });
}

void integer_product(cudaStream_t stream, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a,
                     bool transpose_b, const void* a, const void* b, const void* bias, void* c) {
  with_index(dtype, [&]<class T>(T) {
    using U = std::make_unsigned_t<T>;
    launch(integer_product_kernel<U>, blocks_for(m * n, kThreads), kThreads, 0, stream, m, n, k, transpose_a,
           transpose_b, static_cast<const U*>(a), static_cast<const U*>(b), static_cast<const U*>(bias),
           static_cast<U*>(c));
  });
}

}  // namespace dlcore::cuda
