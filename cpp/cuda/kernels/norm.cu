#include "cuda/kernels/norm.h"

#include <algorithm>

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/lines.h"

namespace dlcore::cuda {

namespace {

constexpr int kChannels = 32, kLanes = 8;  // of a block where channels are the last axis
constexpr std::int64_t kLeastPiece = 256;  // elements of a channel

// ---- sums over channels: what a channel's elements are joined to

/// Mean and sum of squared deviations of `count` numbers.
template <class M>
struct Moments {
  M count, mean, squares;
  static __device__ Moments none() { return {0, 0, 0}; }
  __device__ void add(M x) {
    count += 1;
    const M d = x - mean;
    mean += d / count;
    squares += d * (x - mean);
  }
  __device__ void join(const Moments& b) {
    if (b.count == 0) return;
    const M total = count + b.count, d = b.mean - mean, share = b.count / total;
    squares += b.squares + d * d * count * share;
    mean += d * share;
    count = total;
  }
};

/// Sums of dy and of dy * (x - mean).
template <class M>
struct GradientSums {
  M dy, dyx;
  static __device__ GradientSums none() { return {0, 0}; }
  __device__ void join(const GradientSums& b) {
    dy += b.dy;
    dyx += b.dyx;
  }
};

/// What takes an element: moments of x.
template <class T>
struct TakeMoments {
  using M = math_t<T>;
  using Sum = Moments<M>;
  const T* x;
  __device__ void operator()(Sum& sum, std::int64_t at, std::int64_t, std::int64_t) const { sum.add(to_math(x[at])); }
};
/// The gradient's sums with the mean of the channel (batch_norm).
template <class T>
struct TakeChannelGradient {
  using M = math_t<T>;
  using Sum = GradientSums<M>;
  const T *x, *mean, *dy;
  __device__ void operator()(Sum& sum, std::int64_t at, std::int64_t channel, std::int64_t) const {
    const M d = to_math(dy[at]);
    sum.dy += d;
    sum.dyx += d * (to_math(x[at]) - to_math(mean[channel]));
  }
};
/// With mean and rstd of the row (layer_norm).
template <class T>
struct TakeRowGradient {
  using M = math_t<T>;
  using Sum = GradientSums<M>;
  const T *x, *mean, *rstd, *dy;
  __device__ void operator()(Sum& sum, std::int64_t at, std::int64_t, std::int64_t row) const {
    const M d = to_math(dy[at]);
    sum.dy += d;
    sum.dyx += d * (to_math(x[at]) - to_math(mean[row])) * to_math(rstd[row]);
  }
};

/// inner = 1: a block sums kChannels channels over one piece of the rows. part [pieces, channels].
template <class Take>
__global__ void sum_last_axis(ChannelShape s, std::int64_t piece, Take take, typename Take::Sum* part) {
  using Sum = typename Take::Sum;
  __shared__ Sum lanes[kLanes][kChannels];
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kChannels + threadIdx.x;
  const std::int64_t first = blockIdx.y * piece, last = first + piece < s.outer ? first + piece : s.outer;
  Sum sum = Sum::none();
  if (c < s.channels)
    for (std::int64_t row = first + threadIdx.y; row < last; row += kLanes) take(sum, row * s.channels + c, c, row);
  lanes[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= s.channels) return;
  for (int lane = 1; lane < kLanes; ++lane) sum.join(lanes[lane][threadIdx.x]);
  part[blockIdx.y * s.channels + c] = sum;
}

/// inner > 1: a block sums one piece of one channel, whose elements are counted through all outer.
template <class Take>
__global__ void sum_inner_axis(ChannelShape s, std::int64_t piece, Take take, typename Take::Sum* part) {
  using Sum = typename Take::Sum;
  __shared__ Sum of_thread[kThreads];
  const std::int64_t c = blockIdx.x, all = s.outer * s.inner;
  const std::int64_t first = blockIdx.y * piece, last = first + piece < all ? first + piece : all;
  Sum sum = Sum::none();
  for (std::int64_t k = first + threadIdx.x; k < last; k += kThreads) {
    const std::int64_t o = k / s.inner, i = k % s.inner;
    take(sum, (o * s.channels + c) * s.inner + i, c, o);
  }
  of_thread[threadIdx.x] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) of_thread[threadIdx.x].join(of_thread[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0) part[blockIdx.y * s.channels + c] = of_thread[0];
}

template <class Take>
void sum_channels(cudaStream_t stream, const ChannelShape& s, const Take& take, typename Take::Sum* part) {
  const auto pieces = static_cast<unsigned>(s.pieces);
  if (s.inner == 1)
    launch(sum_last_axis<Take>, dim3(blocks_for(s.channels, kChannels), pieces), dim3(kChannels, kLanes), 0, stream, s,
           ceil_div(s.outer, s.pieces), take, part);
  else
    launch(sum_inner_axis<Take>, dim3(static_cast<unsigned>(s.channels), pieces), kThreads, 0, stream, s,
           ceil_div(s.outer * s.inner, s.pieces), take, part);
}

template <class Sum>
__device__ Sum join_pieces(const ChannelShape& s, const Sum* part, std::int64_t c) {
  Sum sum = Sum::none();
  for (std::int64_t p = 0; p < s.pieces; ++p) sum.join(part[p * s.channels + c]);
  return sum;
}

// ---- batch_norm

/// y = x * scale + shift by channel.
template <class M>
struct Affine {
  M scale, shift;
};

template <class T>
__global__ void batch_statistics(ChannelShape s, math_t<T> epsilon, const Moments<math_t<T>>* part, const T* gamma,
                                 T* mean, T* var, T* rstd, Affine<math_t<T>>* statistics) {
  using M = math_t<T>;
  const std::int64_t c = thread_index();
  if (c >= s.channels) return;
  const Moments<M> all = join_pieces(s, part, c);
  const M v = all.squares / static_cast<M>(s.outer * s.inner), r = 1 / sqrt(v + epsilon);
  mean[c] = from_math<T>(all.mean);
  var[c] = from_math<T>(v);
  rstd[c] = from_math<T>(r);
  statistics[c] = {r * to_math(gamma[c]), all.mean};
}

template <class T>
__global__ void batch_apply(ChannelShape s, std::int64_t n, const T* x, const T* beta,
                            const Affine<math_t<T>>* statistics, T* y) {
  const std::int64_t i = thread_index();
  if (i >= n) return;
  const std::int64_t c = i / s.inner % s.channels;
  const Affine<math_t<T>> a = statistics[c];
  y[i] = from_math<T>((to_math(x[i]) - a.shift) * a.scale + to_math(beta[c]));
}

/// dx = a * dy + b * (x - mean) + c
template <class M>
struct GradientFactors {
  M dy, x, shift;
};

template <class T>
__global__ void batch_grad_factors(ChannelShape s, const GradientSums<math_t<T>>* part, const T* gamma, const T* rstd,
                                   T* dgamma, T* dbeta, GradientFactors<math_t<T>>* factors) {
  using M = math_t<T>;
  const std::int64_t c = thread_index();
  if (c >= s.channels) return;
  const GradientSums<M> all = join_pieces(s, part, c);
  const M r = to_math(rstd[c]), g = to_math(gamma[c]) * r, n = static_cast<M>(s.outer * s.inner);
  dgamma[c] = from_math<T>(all.dyx * r);
  dbeta[c] = from_math<T>(all.dy);
  factors[c] = {g, -g * r * r * all.dyx / n, -g * all.dy / n};
}

template <class T>
__global__ void batch_grad_apply(ChannelShape s, std::int64_t n, const T* x, const T* mean, const T* dy,
                                 const GradientFactors<math_t<T>>* factors, T* dx) {
  const std::int64_t i = thread_index();
  if (i >= n) return;
  const std::int64_t c = i / s.inner % s.channels;
  const GradientFactors<math_t<T>> f = factors[c];
  dx[i] = from_math<T>(f.dy * to_math(dy[i]) + f.x * (to_math(x[i]) - to_math(mean[c])) + f.shift);
}

// ---- layer_norm

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    layer_norm_kernel(LineShape s, math_t<T> epsilon, const T* x, const T* gamma, const T* beta, T* y, T* mean,
                      T* rstd) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const auto from = line.load(x);
  const M n = static_cast<M>(s.size), m = line.sum(from) / n;
  const auto d = line.map([=](M x) { return x - m; }, from);
  const M v = line.sum(line.map([](M d) { return d * d; }, d)) / n, r = 1 / sqrt(v + epsilon);
  const auto scaled = line.map([=](M d, M gamma) { return d * r * gamma; }, d, line.load_same(gamma));
  line.store(y, line.map([](M a, M beta) { return a + beta; }, scaled, line.load_same(beta)));
  if (!line.leads()) return;
  mean[line.number] = from_math<T>(m);
  rstd[line.number] = from_math<T>(r);
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads)
    layer_norm_grad_kernel(LineShape s, const T* x, const T* gamma, const T* mean, const T* rstd, const T* dy, T* dx) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const M n = static_cast<M>(s.size), m = line.exists ? to_math(mean[line.number]) : M(0);
  const M r = line.exists ? to_math(rstd[line.number]) : M(0);
  const auto times = [](M a, M b) { return a * b; };
  const auto g = line.map(times, line.load(dy), line.load_same(gamma));
  const auto z = line.map([=](M x) { return (x - m) * r; }, line.load(x));
  const M sum_g = line.sum(g) / n, sum_gz = line.sum(line.map(times, g, z)) / n;
  line.store(dx, line.map([=](M g, M z) { return r * (g - sum_g - z * sum_gz); }, g, z));
}

template <class T>
__global__ void store_gradient_sums(ChannelShape s, const GradientSums<math_t<T>>* part, T* dgamma, T* dbeta) {
  const std::int64_t c = thread_index();
  if (c >= s.channels) return;
  const GradientSums<math_t<T>> all = join_pieces(s, part, c);
  dgamma[c] = from_math<T>(all.dyx);
  dbeta[c] = from_math<T>(all.dy);
}

/// Scratch: the pieces' sums, then three numbers per channel.
template <class M>
M* behind_parts(const ChannelShape& s, void* scratch) {
  return static_cast<M*>(scratch) + 3 * s.pieces * s.channels;
}

}  // namespace

ChannelShape::ChannelShape(std::int64_t outer, std::int64_t channels, std::int64_t inner, int sm_count)
    : outer(outer), channels(channels), inner(inner), pieces(1) {
  const std::int64_t blocks = inner == 1 ? ceil_div(channels, kChannels) : channels;
  const std::int64_t wanted = ceil_div(4 * std::max(sm_count, 1), std::max<std::int64_t>(blocks, 1));
  pieces = std::clamp<std::int64_t>(std::min(wanted, outer * inner / kLeastPiece), 1, 512);
}

std::size_t ChannelShape::scratch_bytes() const {
  return static_cast<std::size_t>(3 * (pieces + 1) * channels) * sizeof(double);
}

void batch_norm(cudaStream_t stream, DType dtype, const ChannelShape& s, double epsilon, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* var, void* rstd, void* scratch) {
  const std::int64_t n = s.outer * s.channels * s.inner;
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    auto* part = static_cast<Moments<M>*>(scratch);
    auto* statistics = reinterpret_cast<Affine<M>*>(behind_parts<M>(s, scratch));
    sum_channels(stream, s, TakeMoments<T>{static_cast<const T*>(x)}, part);
    launch(batch_statistics<T>, blocks_for(s.channels, kThreads), kThreads, 0, stream, s, static_cast<M>(epsilon), part,
           static_cast<const T*>(gamma), static_cast<T*>(mean), static_cast<T*>(var), static_cast<T*>(rstd),
           statistics);
    launch(batch_apply<T>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, static_cast<const T*>(x),
           static_cast<const T*>(beta), statistics, static_cast<T*>(y));
  });
}

void batch_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& s, const void* x, const void* gamma,
                     const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma, void* dbeta,
                     void* scratch) {
  const std::int64_t n = s.outer * s.channels * s.inner;
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    auto* part = static_cast<GradientSums<M>*>(scratch);
    auto* factors = reinterpret_cast<GradientFactors<M>*>(behind_parts<M>(s, scratch));
    const auto *from = static_cast<const T*>(x), *middle = static_cast<const T*>(mean), *d = static_cast<const T*>(dy);
    sum_channels(stream, s, TakeChannelGradient<T>{from, middle, d}, part);
    launch(batch_grad_factors<T>, blocks_for(s.channels, kThreads), kThreads, 0, stream, s, part,
           static_cast<const T*>(gamma), static_cast<const T*>(rstd), static_cast<T*>(dgamma), static_cast<T*>(dbeta),
           factors);
    launch(batch_grad_apply<T>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, from, middle, d, factors,
           static_cast<T*>(dx));
  });
}

void layer_norm(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* rstd) {
  with_float(dtype, [&]<class T>(T) {
    with_lines<T>(rows, size, 1, {x, gamma, beta, y}, [&]<class, int W, int N>(const LineShape& s) {
      launch_lines(layer_norm_kernel<T, W, N>, stream, s, static_cast<math_t<T>>(epsilon), static_cast<const T*>(x),
                   static_cast<const T*>(gamma), static_cast<const T*>(beta), static_cast<T*>(y), static_cast<T*>(mean),
                   static_cast<T*>(rstd));
    });
  });
}

void layer_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& shape, const void* x, const void* gamma,
                     const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma, void* dbeta,
                     void* scratch) {
  with_float(dtype, [&]<class T>(T) {
    const auto *from = static_cast<const T*>(x), *m = static_cast<const T*>(mean), *r = static_cast<const T*>(rstd),
               *d = static_cast<const T*>(dy);
    auto* part = static_cast<GradientSums<math_t<T>>*>(scratch);
    sum_channels(stream, shape, TakeRowGradient<T>{from, m, r, d}, part);
    launch(store_gradient_sums<T>, blocks_for(shape.channels, kThreads), kThreads, 0, stream, shape, part,
           static_cast<T*>(dgamma), static_cast<T*>(dbeta));
    with_lines<T>(shape.outer, shape.channels, 1, {x, gamma, dy, dx}, [&]<class, int W, int N>(const LineShape& s) {
      launch_lines(layer_norm_grad_kernel<T, W, N>, stream, s, from, static_cast<const T*>(gamma), m, r, d,
                   static_cast<T*>(dx));
    });
  });
}

}  // namespace dlcore::cuda
