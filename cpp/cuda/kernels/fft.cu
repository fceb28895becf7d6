#include "cuda/kernels/fft.h"

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

template <class T>
struct Complex {
  T re, im;
};

/// Where the complex numbers that stand for a line's come from.
template <class T>
struct Line {
  FftKind kind;
  std::int64_t n, step;
  const T *re, *im, *window;

  __device__ Complex<T> operator[](std::int64_t j) const {
    switch (kind) {
      case FftKind::Complex:
        return {re[j * step], im[j * step]};
      case FftKind::Real:
        return {window ? window[j] * re[j] : re[j], T(0)};
      default: {  // parts exchanged, so that the transform is the inverse one; the second half mirrors the first
        const bool mirrored = 2 * j > n, real = j == 0 || 2 * j == n;
        const std::int64_t at = mirrored ? n - j : j;
        const T part = real ? T(0) : im[at] / static_cast<T>(n);
        return {mirrored ? -part : part, re[at] / static_cast<T>(n)};
      }
    }
  }
};

/// Scratch of a line: two rows of complex numbers, and the turns exp(-2 pi i j / n).
template <class T>
__global__ void fft_kernel(FftShape s, const T* x_re, const T* x_im, const T* window, T* y_re, T* y_im,
                           Complex<T>* scratch) {
  const std::int64_t n = s.n, half = n / 2 + 1, number = blockIdx.x;
  Complex<T>*x = scratch + number * 3 * n, *y = x + n, *turns = y + n;
  const std::int64_t first = number / s.inners * n * s.inners + number % s.inners;
  const std::int64_t in = s.kind == FftKind::Complex ? first
                          : s.kind == FftKind::Real  ? number / s.frames * s.length + number % s.frames * s.step
                                                     : number * half;
  const Line<T> line{s.kind, n, s.inners, x_re + in, x_im ? x_im + in : nullptr, window};
  for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) {
    x[j] = line[j];
    const double angle = -6.283185307179586476925 * static_cast<double>(j) / static_cast<double>(n);
    turns[j] = {static_cast<T>(cos(angle)), static_cast<T>(sin(angle))};
  }
  __syncthreads();
  int radix = 4;
  for (std::int64_t before = 1; before < n;) {
    const std::int64_t rest = n / before;
    while (rest % radix != 0) radix = radix == 4 ? 2 : radix == 3 ? 5 : radix + 1;  // 4, 2, 3, 5, 6, ...
    const std::int64_t parts = rest / radix, length = before * radix;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const std::int64_t p = i / length, k = i % length, q = k % before;
      Complex<T> sum = x[p * before + q];
      std::int64_t turn = 0;
      for (int a = 1; a < radix; ++a) {
        turn = turn + k < length ? turn + k : turn + k - length;
        const Complex<T> value = x[(p + a * parts) * before + q], by = turns[turn * parts];
        sum.re += value.re * by.re - value.im * by.im;
        sum.im += value.re * by.im + value.im * by.re;
      }
      y[i] = sum;
    }
    __syncthreads();
    Complex<T>* const last = x;
    x = y;
    y = last;
    before = length;
  }
  const std::int64_t kept = s.kind == FftKind::Real ? half : n;
  const std::int64_t to = s.kind == FftKind::Real ? number * half : first, step = s.inners;
  for (std::int64_t k = threadIdx.x; k < kept; k += blockDim.x) {
    if (s.kind == FftKind::RealInverse) {
      y_re[to + k] = x[k].im;
    } else {
      y_re[to + k * step] = x[k].re;
      y_im[to + k * step] = x[k].im;
    }
  }
}

}  // namespace

std::size_t fft_scratch_bytes(DType dtype, const FftShape& s) {
  return static_cast<std::size_t>(s.outer * s.inners * 6 * s.n) *
         (dtype == DType::F64 ? sizeof(double) : sizeof(float));
}

void fft(cudaStream_t stream, DType dtype, const FftShape& s, const void* x_re, const void* x_im, const void* window,
         void* y_re, void* y_im, void* scratch) {
  if (s.outer * s.inners == 0) return;
  const auto run = [&]<class T>(T) {
    launch(fft_kernel<T>, static_cast<unsigned>(s.outer * s.inners), kThreads, 0, stream, s,
           static_cast<const T*>(x_re), static_cast<const T*>(x_im), static_cast<const T*>(window),
           static_cast<T*>(y_re), static_cast<T*>(y_im), static_cast<Complex<T>*>(scratch));
  };
  if (dtype == DType::F64)
    run(double{});
  else
    run(float{});
}

}  // namespace dlcore::cuda
