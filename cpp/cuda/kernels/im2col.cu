#include "cuda/kernels/im2col.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/divisor.h"

namespace dlcore::cuda {

namespace {

/// A convolution whose channels, and the distance of rows, count packs of some elements.
struct Windows {
  Divisor channels, kw, taps_and_channels, oh, ow, h, w, stride_h, stride_w;
  unsigned ld, kh;
  int dilation_h, dilation_w, pad_top, pad_left;

  Windows(const ConvShape& s, std::int64_t ld, std::int64_t pack)
      : channels(s.cin / pack),
        kw(s.kw),
        taps_and_channels(s.kh * s.kw * s.cin / pack),
        oh(s.oh),
        ow(s.ow),
        h(s.h),
        w(s.w),
        stride_h(s.stride_h),
        stride_w(s.stride_w),
        ld(static_cast<unsigned>(ld / pack)),
        kh(static_cast<unsigned>(s.kh)),
        dilation_h(static_cast<int>(s.dilation_h)),
        dilation_w(static_cast<int>(s.dilation_w)),
        pad_top(static_cast<int>(s.pad_top)),
        pad_left(static_cast<int>(s.pad_left)) {}
};

/// A thread per pack of `columns`.
template <class Pack>
__global__ void im2col_kernel(Windows s, unsigned n, const Pack* x, Pack* columns) {
  unsigned m = blockIdx.x * blockDim.x + threadIdx.x;
  if (m >= n) return;
  const unsigned at = s.taps_and_channels.split(m);
  Pack* to = columns + static_cast<std::int64_t>(m) * s.ld + at;
  unsigned kh = at, image = m;
  const unsigned c = s.channels.split(kh), kw = s.kw.split(kh);
  const unsigned ow = s.ow.split(image), oh = s.oh.split(image);
  const int row = static_cast<int>(oh * s.stride_h.value) + static_cast<int>(kh) * s.dilation_h - s.pad_top;
  const int col = static_cast<int>(ow * s.stride_w.value) + static_cast<int>(kw) * s.dilation_w - s.pad_left;
  const bool inside = row >= 0 && row < static_cast<int>(s.h.value) && col >= 0 && col < static_cast<int>(s.w.value);
  const std::int64_t pixel = (static_cast<std::int64_t>(image) * s.h.value + row) * s.w.value + col;
  *to = inside ? x[pixel * s.channels.value + c] : Pack{};
}

/// A thread per pack of dx.
template <class T, int N>
__global__ void col2im_kernel(Windows s, unsigned n, const Pack<math_t<T>, N>* columns, Pack<T, N>* dx) {
  using M = math_t<T>;
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= n) return;
  unsigned image = at;
  const unsigned c = s.channels.split(image), w = s.w.split(image), h = s.h.split(image);
  M sum[N] = {};
  for (unsigned kh = 0; kh < s.kh; ++kh) {
    const int row = static_cast<int>(h) + s.pad_top - static_cast<int>(kh) * s.dilation_h;
    unsigned oh = static_cast<unsigned>(row);
    if (row < 0 || s.stride_h.split(oh) != 0 || oh >= s.oh.value) continue;
    for (unsigned kw = 0; kw < s.kw.value; ++kw) {
      const int col = static_cast<int>(w) + s.pad_left - static_cast<int>(kw) * s.dilation_w;
      unsigned ow = static_cast<unsigned>(col);
      if (col < 0 || s.stride_w.split(ow) != 0 || ow >= s.ow.value) continue;
      const std::int64_t m = (static_cast<std::int64_t>(image) * s.oh.value + oh) * s.ow.value + ow;
      const Pack<M, N> part = columns[m * s.ld + (kh * s.kw.value + kw) * s.channels.value + c];
      for (int k = 0; k < N; ++k) sum[k] += part.v[k];
    }
  }
  Pack<T, N> result;
  for (int k = 0; k < N; ++k) result.v[k] = from_math<T>(sum[k]);
  dx[at] = result;
}

/// Calls body with a pack of as many T as go into 16 bytes of Wide, if `channels` and ld are multiples of that; else of
/// half as many, if they are; else of one.
template <class T, class Wide, class Body>
void with_pack(std::int64_t channels, std::int64_t ld, const Body& body) {
  constexpr int most = 16 / sizeof(Wide);
  const std::int64_t both = channels | ld;
  if (both % most == 0)
    body(Pack<T, most>{});
  else if (both % (most / 2) == 0)
    body(Pack<T, most / 2>{});
  else
    body(Pack<T, 1>{});
}

}  // namespace

void im2col(cudaStream_t stream, DType dtype, const ConvShape& s, std::int64_t ld, const void* x, void* columns) {
  with_float(dtype, [&]<class T>(T) {
    with_pack<T, T>(s.cin, ld, [&]<class P>(P) {
      const std::int64_t pack = sizeof(P) / sizeof(T), n = s.n * s.oh * s.ow * s.kh * s.kw * s.cin / pack;
      launch(im2col_kernel<P>, blocks_for(n, kThreads), kThreads, 0, stream, Windows(s, ld, pack),
             static_cast<unsigned>(n), static_cast<const P*>(x), static_cast<P*>(columns));
    });
  });
}

void col2im(cudaStream_t stream, DType dtype, const ConvShape& s, std::int64_t ld, const void* columns, void* dx) {
  with_float(dtype, [&]<class T>(T) {
    with_pack<T, math_t<T>>(s.cin, ld, [&]<int N>(Pack<T, N>) {
      const std::int64_t n = s.n * s.h * s.w * s.cin / N;
      launch(col2im_kernel<T, N>, blocks_for(n, kThreads), kThreads, 0, stream, Windows(s, ld, N),
             static_cast<unsigned>(n), static_cast<const Pack<math_t<T>, N>*>(columns), static_cast<Pack<T, N>*>(dx));
    });
  });
}

}  // namespace dlcore::cuda
