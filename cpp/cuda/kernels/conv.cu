#include "cuda/kernels/conv.h"

#include <algorithm>

#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

template <class T>
__global__ void forward_kernel(ConvShape s, std::int64_t n, const T* x, const T* w, const T* bias,
                               Activation activation, T* y) {
  using M = math_t<T>;
  const std::int64_t at = thread_index();
  if (at >= n) return;
  const Element e(at, s.oh, s.ow, s.cout);
  const std::int64_t in = s.cin / s.groups, group = e.c / (s.cout / s.groups);
  M sum = 0;
  for (std::int64_t kh = 0; kh < s.kh; ++kh) {
    const std::int64_t row = e.h * s.stride_h + kh * s.dilation_h - s.pad_top;
    if (row < 0 || row >= s.h) continue;
    for (std::int64_t kw = 0; kw < s.kw; ++kw) {
      const std::int64_t col = e.w * s.stride_w + kw * s.dilation_w - s.pad_left;
      if (col < 0 || col >= s.w) continue;
      const T* pixel = x + ((e.n * s.h + row) * s.w + col) * s.cin + group * in;
      const T* tap = w + (kh * s.kw + kw) * in * s.cout + e.c;
      for (std::int64_t ci = 0; ci < in; ++ci) sum = fma(to_math(pixel[ci]), to_math(tap[ci * s.cout]), sum);
    }
  }
  y[at] = from_math<T>(activate(bias ? sum + to_math(bias[e.c]) : sum, activation));
}

template <class T>
__global__ void backward_input_kernel(ConvShape s, std::int64_t n, const T* dy, const T* w, T* dx) {
  using M = math_t<T>;
  const std::int64_t at = thread_index();
  if (at >= n) return;
  const Element e(at, s.h, s.w, s.cin);
  const std::int64_t in = s.cin / s.groups, out = s.cout / s.groups, group = e.c / in;
  M sum = 0;
  for (std::int64_t kh = 0; kh < s.kh; ++kh) {
    const std::int64_t oh = e.h + s.pad_top - kh * s.dilation_h;
    if (oh < 0 || oh % s.stride_h != 0 || oh / s.stride_h >= s.oh) continue;
    for (std::int64_t kw = 0; kw < s.kw; ++kw) {
      const std::int64_t ow = e.w + s.pad_left - kw * s.dilation_w;
      if (ow < 0 || ow % s.stride_w != 0 || ow / s.stride_w >= s.ow) continue;
      const T* pixel = dy + ((e.n * s.oh + oh / s.stride_h) * s.ow + ow / s.stride_w) * s.cout + group * out;
      const T* tap = w + ((kh * s.kw + kw) * in + e.c % in) * s.cout + group * out;
      for (std::int64_t j = 0; j < out; ++j) sum = fma(to_math(pixel[j]), to_math(tap[j]), sum);
    }
  }
  dx[at] = from_math<T>(sum);
}

constexpr int kColumns = 32, kLanes = 8;

/// Weights [tap, ci] of blockIdx.x, kColumns output channels, one piece of the output pixels. part [pieces, weights].
template <class T>
__global__ void backward_weights_kernel(ConvShape s, std::int64_t piece, const T* x, const T* dy, math_t<T>* part) {
  using M = math_t<T>;
  __shared__ M lanes[kLanes][kColumns];
  const std::int64_t in = s.cin / s.groups, out = s.cout / s.groups, blocks = (s.cout + kColumns - 1) / kColumns;
  const std::int64_t co = blockIdx.x % blocks * kColumns + threadIdx.x, row = blockIdx.x / blocks;
  const std::int64_t ci = row % in, kw = row / in % s.kw, kh = row / in / s.kw;
  const std::int64_t pixels = s.n * s.oh * s.ow, first = blockIdx.y * piece;
  const std::int64_t last = first + piece < pixels ? first + piece : pixels;
  M sum = 0;
  if (co < s.cout) {
    const std::int64_t channel = co / out * in + ci;
    for (std::int64_t p = first + threadIdx.y; p < last; p += kLanes) {
      const std::int64_t ow = p % s.ow, oh = p / s.ow % s.oh, image = p / s.ow / s.oh;
      const std::int64_t h = oh * s.stride_h + kh * s.dilation_h - s.pad_top;
      const std::int64_t w = ow * s.stride_w + kw * s.dilation_w - s.pad_left;
      if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
      sum = fma(to_math(x[((image * s.h + h) * s.w + w) * s.cin + channel]), to_math(dy[p * s.cout + co]), sum);
    }
  }
  lanes[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || co >= s.cout) return;
  for (int lane = 1; lane < kLanes; ++lane) sum += lanes[lane][threadIdx.x];
  part[(static_cast<std::int64_t>(blockIdx.y) * s.kh * s.kw * in + row) * s.cout + co] = sum;
}

template <class T>
__global__ void add_pieces(std::int64_t pieces, std::int64_t n, const math_t<T>* part, T* dw) {
  const std::int64_t i = thread_index();
  if (i >= n) return;
  math_t<T> sum = 0;
  for (std::int64_t p = 0; p < pieces; ++p) sum += part[p * n + i];
  dw[i] = from_math<T>(sum);
}

}  // namespace

void conv_forward(cudaStream_t stream, DType dtype, const ConvShape& s, const void* x, const void* w, const void* bias,
                  Activation activation, void* y) {
  const std::int64_t n = s.n * s.oh * s.ow * s.cout;
  with_float(dtype, [&]<class T>(T) {
    launch(forward_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, static_cast<const T*>(x),
           static_cast<const T*>(w), static_cast<const T*>(bias), activation, static_cast<T*>(y));
  });
}

void conv_backward_input(cudaStream_t stream, DType dtype, const ConvShape& s, const void* dy, const void* w,
                         void* dx) {
  const std::int64_t n = s.n * s.h * s.w * s.cin;
  with_float(dtype, [&]<class T>(T) {
    launch(backward_input_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, static_cast<const T*>(dy),
           static_cast<const T*>(w), static_cast<T*>(dx));
  });
}

ConvWeightsShape::ConvWeightsShape(const ConvShape& conv, int sm_count) : conv(conv), pieces(1) {
  const std::int64_t blocks = conv.kh * conv.kw * conv.cin_per_group() * ceil_div(conv.cout, kColumns);
  const std::int64_t pixels = conv.n * conv.oh * conv.ow;
  pieces = std::clamp<std::int64_t>(std::min(ceil_div(8 * sm_count, blocks), pixels / 64), 1, 256);
}

void conv_backward_weights(cudaStream_t stream, DType dtype, const ConvWeightsShape& shape, const void* x,
                           const void* dy, void* dw, void* scratch) {
  const ConvShape& s = shape.conv;
  const std::int64_t rows = s.kh * s.kw * s.cin_per_group();
  with_float(dtype, [&]<class T>(T) {
    auto* part = static_cast<math_t<T>*>(scratch);
    launch(backward_weights_kernel<T>,
           dim3(static_cast<unsigned>(rows * ceil_div(s.cout, kColumns)), static_cast<unsigned>(shape.pieces)),
           dim3(kColumns, kLanes), 0, stream, s, ceil_div(s.n * s.oh * s.ow, shape.pieces), static_cast<const T*>(x),
           static_cast<const T*>(dy), part);
    launch(add_pieces<T>, blocks_for(shape.weights(), kThreads), kThreads, 0, stream, shape.pieces, shape.weights(),
           part, static_cast<T*>(dw));
  });
}

}  // namespace dlcore::cuda
