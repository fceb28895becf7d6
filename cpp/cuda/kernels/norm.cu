#include "cuda/kernels/norm.h"

#include <algorithm>

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/lines.h"
#include "cuda/kernels/pointwise_math.cuh"

namespace dlcore::cuda {

namespace {

constexpr int kPack = 4;                   // neighbouring channels of a thread, where their number allows it
constexpr int kLoads = 4;                  // rows of a thread that are loaded together
constexpr std::int64_t kLeastPiece = 256;  // elements of a channel

template <class T, int V>
__device__ Pack<T, V> load_pack(const T* from, bool wide) {
  if (wide) return *reinterpret_cast<const Pack<T, V>*>(from);
  Pack<T, V> pack;
#pragma unroll
  for (int w = 0; w < V; ++w) pack.v[w] = from[w];
  return pack;
}

/// a / b and the rest, by 32-bit division where that is enough.
struct Quotient {
  std::int64_t quotient, rest;
  __device__ Quotient(std::int64_t a, std::int64_t b) {
    quotient = (a | b) >> 32 == 0 ? static_cast<unsigned>(a) / static_cast<unsigned>(b) : a / b;
    rest = a - quotient * b;
  }
};

// ---- sums over channels. Two sums of each channel are added up over a piece of its elements, and pieces are joined

template <class M>
struct TwoSums {
  M a, b;
  __device__ void operator+=(const TwoSums& other) {
    a += other.a;
    b += other.b;
  }
};

/// Mean and sum of squared deviations of `count` numbers.
template <class M>
struct Moments {
  M count, mean, squares;
  static __device__ Moments none() { return {0, 0, 0}; }
  __device__ Moments of_lane(int lanes) const {
    return {shuffle_xor(count, lanes), shuffle_xor(mean, lanes), shuffle_xor(squares, lanes)};
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
  __device__ GradientSums of_lane(int lanes) const { return {shuffle_xor(dy, lanes), shuffle_xor(dyx, lanes)}; }
  __device__ void join(const GradientSums& b) {
    dy += b.dy;
    dyx += b.dyx;
  }
};

// What is summed of the elements v of the inputs. channel, row: what add needs of a channel and of a row.

/// Moments of x, by sums of x - center and its square; center is an element of the piece, so little cancels.
template <class T>
struct TakeMoments {
  using Element = T;
  using M = math_t<T>;
  using Part = Moments<M>;
  using Channel = M;
  struct Row {};
  static constexpr int inputs = 1;
  const T* input[inputs];
  __device__ Channel channel(std::int64_t, std::int64_t at) const { return to_math(input[0][at]); }
  __device__ Row row(std::int64_t) const { return {}; }
  __device__ void add(TwoSums<M>& sums, const M* v, Channel center, Row) const {
    const M d = v[0] - center;
    sums += {d, d * d};
  }
  __device__ Part part(const TwoSums<M>& sums, M count, Channel center) const {
    const M d = sums.a / count, squares = sums.b - sums.a * d;
    return {count, center + d, squares > 0 ? squares : squares * 0};  // NaN stays
  }
};
/// y of batch_norm before it was rectified, with the forward's bits.
template <class M>
__device__ M scaled(M x, M mean, M scale, M shift) {
  if constexpr (sizeof(M) == sizeof(float))
    return fmaf(x - mean, scale, shift);
  else
    return fma(x - mean, scale, shift);
}

/// The gradient's sums with the mean of the channel (batch_norm).
template <class T, bool kRelu>
struct TakeChannelGradient {
  using Element = T;
  using M = math_t<T>;
  using Part = GradientSums<M>;
  struct Channel {
    M mean, scale, shift;
  };
  struct Row {};
  static constexpr int inputs = 2;
  const T* input[inputs];  // x, dy
  const M *mean, *rstd, *gamma, *beta;
  __device__ Channel channel(std::int64_t c, std::int64_t) const {
    return {mean[c], kRelu ? rstd[c] * gamma[c] : M(0), kRelu ? beta[c] : M(0)};
  }
  __device__ Row row(std::int64_t) const { return {}; }
  __device__ void add(TwoSums<M>& sums, const M* v, const Channel& c, Row) const {
    const M dy = !kRelu || scaled(v[0], c.mean, c.scale, c.shift) > 0 ? v[1] : M(0);
    sums += {dy, dy * (v[0] - c.mean)};
  }
  __device__ Part part(const TwoSums<M>& sums, M, const Channel&) const { return {sums.a, sums.b}; }
};
/// With mean and rstd of the row (layer_norm).
template <class T>
struct TakeRowGradient {
  using Element = T;
  using M = math_t<T>;
  using Part = GradientSums<M>;
  struct Channel {};
  struct Row {
    M mean, rstd;
  };
  static constexpr int inputs = 2;
  const T* input[inputs];  // x, dy
  const M *mean, *rstd;
  __device__ Channel channel(std::int64_t, std::int64_t) const { return {}; }
  __device__ Row row(std::int64_t i) const { return {mean[i], rstd[i]}; }
  __device__ void add(TwoSums<M>& sums, const M* v, Channel, Row row) const {
    sums += {v[1], v[1] * (v[0] - row.mean) * row.rstd};
  }
  __device__ Part part(const TwoSums<M>& sums, M, Channel) const { return {sums.a, sums.b}; }
};

/// Adds `count` rows, `step` apart, of V channels to sums.
template <int count, int V, class Take, class M = typename Take::M>
__device__ void add_rows(const ChannelShape& s, const Take& take, bool wide, std::int64_t row, int step, std::int64_t c,
                         const typename Take::Channel* channels, TwoSums<M>* sums) {
  Pack<typename Take::Element, V> packs[count][Take::inputs];
  typename Take::Row rows[count];
#pragma unroll
  for (int k = 0; k < count; ++k) {
#pragma unroll
    for (int j = 0; j < Take::inputs; ++j)
      packs[k][j] = load_pack<typename Take::Element, V>(take.input[j] + (row + k * step) * s.channels + c, wide);
    rows[k] = take.row(row + k * step);
  }
#pragma unroll
  for (int k = 0; k < count; ++k)
#pragma unroll
    for (int w = 0; w < V; ++w) {
      M v[Take::inputs];
#pragma unroll
      for (int j = 0; j < Take::inputs; ++j) v[j] = to_math(packs[k][j].v[w]);
      take.add(sums[w], v, channels[w], rows[k]);
    }
}

/// inner = 1: a block sums blockDim.x * V channels over one piece of the rows. part [pieces, channels].
template <class Take, int V>
__global__ void __launch_bounds__(kThreads, 4)
    sum_last_axis(ChannelShape s, std::int64_t piece, bool wide, Take take, typename Take::Part* part) {
  using M = typename Take::M;
  __shared__ TwoSums<M> of_thread[V][kThreads];
  const std::int64_t c = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  const std::int64_t first = blockIdx.y * piece, last = first + piece < s.outer ? first + piece : s.outer;
  const int columns = static_cast<int>(blockDim.x), lanes = static_cast<int>(blockDim.y);
  const int lane = static_cast<int>(threadIdx.y), thread = lane * columns + static_cast<int>(threadIdx.x);
  TwoSums<M> sums[V] = {};
  typename Take::Channel channels[V] = {};
  if (c < s.channels && first < last) {
#pragma unroll
    for (int w = 0; w < V; ++w) channels[w] = take.channel(c + w, first * s.channels + c + w);
    std::int64_t row = first + lane;
    for (; row + (kLoads - 1) * lanes < last; row += kLoads * lanes)
      add_rows<kLoads, V>(s, take, wide, row, lanes, c, channels, sums);
    for (; row < last; row += lanes) add_rows<1, V>(s, take, wide, row, lanes, c, channels, sums);
  }
#pragma unroll
  for (int w = 0; w < V; ++w) of_thread[w][thread] = sums[w];
  __syncthreads();
  for (int half = lanes / 2; half > 0; half /= 2) {
    if (lane < half)
      for (int w = 0; w < V; ++w) of_thread[w][thread] += of_thread[w][thread + half * columns];
    __syncthreads();
  }
  if (lane == 0 && c < s.channels)
    for (int w = 0; w < V; ++w)
      part[blockIdx.y * s.channels + c + w] =
          take.part(of_thread[w][thread], static_cast<M>(last - first), channels[w]);
}

/// inner > 1: a block sums one piece of one channel, whose elements are counted through all outer.
template <class Take>
__global__ void sum_inner_axis(ChannelShape s, std::int64_t piece, Take take, typename Take::Part* part) {
  using M = typename Take::M;
  __shared__ TwoSums<M> of_thread[kThreads];
  const std::int64_t c = blockIdx.x, all = s.outer * s.inner;
  const std::int64_t first = blockIdx.y * piece, last = first + piece < all ? first + piece : all;
  const auto at = [&](const Quotient& k) { return (k.quotient * s.channels + c) * s.inner + k.rest; };
  const typename Take::Channel channel =
      first < last ? take.channel(c, at({first, s.inner})) : typename Take::Channel();
  TwoSums<M> sums{};
#pragma unroll 4
  for (std::int64_t k = first + threadIdx.x; k < last; k += kThreads) {
    const Quotient place(k, s.inner);
    M v[Take::inputs];
    for (int j = 0; j < Take::inputs; ++j) v[j] = to_math(take.input[j][at(place)]);
    take.add(sums, v, channel, {});
  }
  of_thread[threadIdx.x] = sums;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) of_thread[threadIdx.x] += of_thread[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0)
    part[blockIdx.y * s.channels + c] = take.part(of_thread[0], static_cast<M>(last - first), channel);
}

/// Of a block along channels, each with the pack's channels; a power of two.
int columns_of(std::int64_t channels, int pack) {
  int columns = 1;
  while (columns < kWarp && columns * pack < channels) columns *= 2;
  return columns;
}
int pack_of(std::int64_t channels) { return channels % kPack == 0 ? kPack : 1; }

/// Calls body(V as a constant) with the number of channels that are taken together; of double it is 1.
template <class T, class Body>
void with_pack(std::int64_t channels, const Body& body) {
  if constexpr (sizeof(T) <= 4)
    if (pack_of(channels) == kPack) return body(std::integral_constant<int, kPack>());
  body(std::integral_constant<int, 1>());
}

template <class Take>
void sum_last(cudaStream_t stream, const ChannelShape& s, const Take& take, typename Take::Part* part) {
  using T = typename Take::Element;
  with_pack<T>(s.channels, [&]<int V>(std::integral_constant<int, V>) {
    bool wide = true;
    for (const T* input : take.input) wide = wide && is_aligned(input, sizeof(Pack<T, V>));
    const int columns = columns_of(s.channels, V);
    launch(sum_last_axis<Take, V>, dim3(blocks_for(s.channels, columns * V), static_cast<unsigned>(s.pieces)),
           dim3(columns, kThreads / columns), 0, stream, s, ceil_div(s.outer, s.pieces), wide, take, part);
  });
}
template <class Take>
void sum_channels(cudaStream_t stream, const ChannelShape& s, const Take& take, typename Take::Part* part) {
  if (s.inner == 1) return sum_last(stream, s, take, part);
  launch(sum_inner_axis<Take>, dim3(static_cast<unsigned>(s.channels), static_cast<unsigned>(s.pieces)), kThreads, 0,
         stream, s, ceil_div(s.outer * s.inner, s.pieces), take, part);
}

// A warp joins the pieces of a channel, or a thread where they are few. Its first thread has the result.
template <class Part>
__device__ Part join_pieces(const ChannelShape& s, const Part* part, std::int64_t c) {
  Part all = Part::none();
  for (std::int64_t p = threadIdx.x; p < s.pieces; p += blockDim.x) all.join(part[p * s.channels + c]);
  for (int lanes = static_cast<int>(blockDim.x) / 2; lanes > 0; lanes /= 2) all.join(all.of_lane(lanes));
  return all;
}
__device__ std::int64_t joined_channel() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; }

template <class... Parameters, class... Args>
void launch_join(void (*kernel)(ChannelShape, Parameters...), cudaStream_t stream, const ChannelShape& s,
                 const Args&... args) {
  const int threads = s.pieces < kWarp ? 1 : kWarp;
  launch(kernel, blocks_for(s.channels, kThreads / threads), dim3(threads, kThreads / threads), 0, stream, s, args...);
}

// ---- batch_norm: the factors f of a channel, f[k] in factors[k * channels + channel], and a pass over all elements

template <class M>
__global__ void batch_statistics(ChannelShape s, M epsilon, const Moments<M>* part, const M* gamma, const M* beta,
                                 M* mean, M* var, M* rstd, M* factors) {
  const std::int64_t c = joined_channel();
  if (c >= s.channels) return;
  const Moments<M> all = join_pieces(s, part, c);
  if (threadIdx.x != 0) return;
  const M v = all.squares / static_cast<M>(s.outer * s.inner), r = 1 / sqrt(v + epsilon);
  mean[c] = all.mean;
  var[c] = v;
  rstd[c] = r;
  factors[c] = r * gamma[c];
  factors[s.channels + c] = all.mean;
  factors[2 * s.channels + c] = beta[c];
}
template <bool kRelu>
struct Normalise {
  static constexpr int inputs = 1, factors = 3;
  template <class M>
  static __device__ M of(const M* v, const M* f) {
    const M y = scaled(v[0], f[1], f[0], f[2]);
    return kRelu ? dlcore_math::op_relu(y) : y;
  }
};

template <class M>
__global__ void batch_grad_factors(ChannelShape s, const GradientSums<M>* part, const M* gamma, const M* mean,
                                   const M* rstd, const M* beta, M* dgamma, M* dbeta, M* factors) {
  const std::int64_t c = joined_channel();
  if (c >= s.channels) return;
  const GradientSums<M> all = join_pieces(s, part, c);
  if (threadIdx.x != 0) return;
  const M r = rstd[c], g = gamma[c] * r, n = static_cast<M>(s.outer * s.inner);
  dgamma[c] = all.dyx * r;
  dbeta[c] = all.dy;
  factors[c] = g;
  factors[s.channels + c] = -g * r * r * all.dyx / n;
  factors[2 * s.channels + c] = -g * all.dy / n;
  factors[3 * s.channels + c] = mean[c];
  if (beta) factors[4 * s.channels + c] = beta[c];
}
template <bool kRelu>
struct BatchGradient {
  static constexpr int inputs = 2, factors = kRelu ? 5 : 4;  // x, dy
  template <class M>
  static __device__ M of(const M* v, const M* f) {
    M dy = v[1];
    if constexpr (kRelu) dy = scaled(v[0], f[3], f[0], f[4]) > 0 ? dy : M(0);
    return f[0] * dy + f[1] * (v[0] - f[3]) + f[2];
  }
};

template <class T, int count>
struct Inputs {
  const T* p[count];
};

/// inner = 1: kLoads rows of V channels per thread.
template <class T, class Formula, int V>
__global__ void __launch_bounds__(kThreads, 4)
    apply_last_axis(ChannelShape s, bool wide, Inputs<T, Formula::inputs> in, const math_t<T>* factors, T* y) {
  using M = math_t<T>;
  const std::int64_t c = (static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * V;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.y * kLoads + threadIdx.y;
  if (c >= s.channels) return;
  Pack<T, V> packs[kLoads][Formula::inputs];
#pragma unroll
  for (int k = 0; k < kLoads; ++k)
    if (first + k * blockDim.y < s.outer)
#pragma unroll
      for (int j = 0; j < Formula::inputs; ++j)
        packs[k][j] = load_pack<T, V>(in.p[j] + (first + k * blockDim.y) * s.channels + c, wide);
  Pack<M, V> f[Formula::factors];
#pragma unroll
  for (int j = 0; j < Formula::factors; ++j) f[j] = load_pack<M, V>(factors + j * s.channels + c, true);
#pragma unroll
  for (int k = 0; k < kLoads; ++k) {
    if (first + k * blockDim.y >= s.outer) return;
    Pack<T, V> result;
#pragma unroll
    for (int w = 0; w < V; ++w) {
      M v[Formula::inputs], of_channel[Formula::factors];
#pragma unroll
      for (int j = 0; j < Formula::inputs; ++j) v[j] = to_math(packs[k][j].v[w]);
#pragma unroll
      for (int j = 0; j < Formula::factors; ++j) of_channel[j] = f[j].v[w];
      result.v[w] = from_math<T>(Formula::of(v, of_channel));
    }
    T* to = y + (first + k * blockDim.y) * s.channels + c;
    if (wide) {
      *reinterpret_cast<Pack<T, V>*>(to) = result;
    } else {
#pragma unroll
      for (int w = 0; w < V; ++w) to[w] = result.v[w];
    }
  }
}

template <class T, class Formula>
__global__ void apply_inner_axis(ChannelShape s, std::int64_t n, Inputs<T, Formula::inputs> in,
                                 const math_t<T>* factors, T* y) {
  using M = math_t<T>;
  const std::int64_t i = thread_index();
  if (i >= n) return;
  const std::int64_t c = Quotient(Quotient(i, s.inner).quotient, s.channels).rest;
  M v[Formula::inputs], f[Formula::factors];
#pragma unroll
  for (int j = 0; j < Formula::inputs; ++j) v[j] = to_math(in.p[j][i]);
#pragma unroll
  for (int j = 0; j < Formula::factors; ++j) f[j] = factors[j * s.channels + c];
  y[i] = from_math<T>(Formula::of(v, f));
}

template <class Formula, class T>
void apply_factors(cudaStream_t stream, const ChannelShape& s, const Inputs<T, Formula::inputs>& in,
                   const math_t<T>* factors, T* y) {
  const std::int64_t n = s.outer * s.channels * s.inner;
  if (s.inner > 1)
    return launch(apply_inner_axis<T, Formula>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, in, factors, y);
  with_pack<T>(s.channels, [&]<int V>(std::integral_constant<int, V>) {
    bool wide = is_aligned(y, sizeof(Pack<T, V>));
    for (const T* p : in.p) wide = wide && is_aligned(p, sizeof(Pack<T, V>));
    const int columns = columns_of(s.channels, V), lanes = kThreads / columns;
    launch(apply_last_axis<T, Formula, V>,
           dim3(blocks_for(s.outer, lanes * kLoads), blocks_for(s.channels, columns * V)), dim3(columns, lanes), 0,
           stream, s, wide, in, factors, y);
  });
}

// ---- layer_norm

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    layer_norm_kernel(LineShape s, math_t<T> epsilon, const T* x, const math_t<T>* gamma, const math_t<T>* beta, T* y,
                      math_t<T>* mean, math_t<T>* rstd) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const auto from = line.load(x);
  const M n = static_cast<M>(s.size), m = line.sum(from) / n;
  const auto d = line.map([=](M x) { return x - m; }, from);
  const M v = line.sum(line.map([](M d) { return d * d; }, d)) / n, r = 1 / sqrt(v + epsilon);
  const auto scaled = line.map([=](M d, M gamma) { return d * r * gamma; }, d, line.load_same(gamma));
  line.store(y, line.map([](M a, M beta) { return a + beta; }, scaled, line.load_same(beta)));
  if (!line.leads()) return;
  mean[line.number] = m;
  rstd[line.number] = r;
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads)
    layer_norm_grad_kernel(LineShape s, const T* x, const math_t<T>* gamma, const math_t<T>* mean,
                           const math_t<T>* rstd, const T* dy, T* dx) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const M n = static_cast<M>(s.size), m = line.exists ? mean[line.number] : M(0);
  const M r = line.exists ? rstd[line.number] : M(0);
  const auto times = [](M a, M b) { return a * b; };
  const auto g = line.map(times, line.load(dy), line.load_same(gamma));
  const auto z = line.map([=](M x) { return (x - m) * r; }, line.load(x));
  const M sum_g = line.sum(g) / n, sum_gz = line.sum(line.map(times, g, z)) / n;
  line.store(dx, line.map([=](M g, M z) { return r * (g - sum_g - z * sum_gz); }, g, z));
}

template <class M>
__global__ void store_gradient_sums(ChannelShape s, const GradientSums<M>* part, M* dgamma, M* dbeta) {
  const std::int64_t c = joined_channel();
  if (c >= s.channels) return;
  const GradientSums<M> all = join_pieces(s, part, c);
  if (threadIdx.x != 0) return;
  dgamma[c] = all.dyx;
  dbeta[c] = all.dy;
}

// Scratch: the pieces' sums, of up to three numbers, then up to five factors per channel.
constexpr int kPartNumbers = 3, kFactors = 5;

template <class M>
M* factors_in(const ChannelShape& s, void* scratch) {
  return static_cast<M*>(scratch) + kPartNumbers * s.pieces * s.channels;
}

}  // namespace

ChannelShape::ChannelShape(std::int64_t outer, std::int64_t channels, std::int64_t inner, int sm_count)
    : outer(outer), channels(channels), inner(inner), pieces(1) {
  const int pack = pack_of(channels);
  const std::int64_t blocks = inner == 1 ? ceil_div(channels, columns_of(channels, pack) * pack) : channels;
  const std::int64_t wanted = ceil_div(4 * std::max(sm_count, 1), std::max<std::int64_t>(blocks, 1));
  pieces = std::clamp<std::int64_t>(std::min(wanted, outer * inner / kLeastPiece), 1, 1024);
  if (pieces > 1) pieces = ceil_div(outer * inner, ceil_div(outer * inner, pieces));  // none is empty
}

std::size_t ChannelShape::scratch_bytes() const {
  return static_cast<std::size_t>((kPartNumbers * pieces + kFactors) * channels) * sizeof(double);
}

void batch_norm(cudaStream_t stream, DType dtype, const ChannelShape& s, double epsilon, bool relu, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* var, void* rstd, void* scratch) {
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    const T* from = static_cast<const T*>(x);
    auto* part = static_cast<Moments<M>*>(scratch);
    M* factors = factors_in<M>(s, scratch);
    sum_channels(stream, s, TakeMoments<T>{{from}}, part);
    launch_join(batch_statistics<M>, stream, s, static_cast<M>(epsilon), part, static_cast<const M*>(gamma),
                static_cast<const M*>(beta), static_cast<M*>(mean), static_cast<M*>(var), static_cast<M*>(rstd),
                factors);
    const auto apply = relu ? apply_factors<Normalise<true>, T> : apply_factors<Normalise<false>, T>;
    apply(stream, s, {{from}}, factors, static_cast<T*>(y));
  });
}

void batch_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& s, const void* x, const void* gamma,
                     const void* beta, const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma,
                     void* dbeta, void* scratch) {
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    const auto *from = static_cast<const T*>(x), *d = static_cast<const T*>(dy);
    const auto *m = static_cast<const M*>(mean), *r = static_cast<const M*>(rstd), *g = static_cast<const M*>(gamma),
               *shift = static_cast<const M*>(beta);
    auto* part = static_cast<GradientSums<M>*>(scratch);
    M* factors = factors_in<M>(s, scratch);
    const auto run = [&]<bool kRelu>(std::bool_constant<kRelu>) {
      sum_channels(stream, s, TakeChannelGradient<T, kRelu>{{from, d}, m, r, g, shift}, part);
      launch_join(batch_grad_factors<M>, stream, s, part, g, m, r, shift, static_cast<M*>(dgamma),
                  static_cast<M*>(dbeta), factors);
      apply_factors<BatchGradient<kRelu>, T>(stream, s, {{from, d}}, factors, static_cast<T*>(dx));
    };
    shift ? run(std::true_type()) : run(std::false_type());
  });
}

void layer_norm(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* rstd) {
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    with_lines<T>(rows, size, 1, {x, gamma, beta, y}, [&]<class, int W, int N>(const LineShape& s) {
      launch_lines(layer_norm_kernel<T, W, N>, stream, s, static_cast<M>(epsilon), static_cast<const T*>(x),
                   static_cast<const M*>(gamma), static_cast<const M*>(beta), static_cast<T*>(y), static_cast<M*>(mean),
                   static_cast<M*>(rstd));
    });
  });
}

void layer_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& shape, const void* x, const void* gamma,
                     const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma, void* dbeta,
                     void* scratch) {
  with_float(dtype, [&]<class T>(T) {
    using M = math_t<T>;
    const auto *from = static_cast<const T*>(x), *d = static_cast<const T*>(dy);
    const auto *m = static_cast<const M*>(mean), *r = static_cast<const M*>(rstd);
    auto* part = static_cast<GradientSums<M>*>(scratch);
    sum_last(stream, shape, TakeRowGradient<T>{{from, d}, m, r}, part);
    launch_join(store_gradient_sums<M>, stream, shape, part, static_cast<M*>(dgamma), static_cast<M*>(dbeta));
    with_lines<T>(shape.outer, shape.channels, 1, {x, gamma, dy, dx}, [&]<class, int W, int N>(const LineShape& s) {
      launch_lines(layer_norm_grad_kernel<T, W, N>, stream, s, from, static_cast<const M*>(gamma), m, r, d,
                   static_cast<T*>(dx));
    });
  });
}

}  // namespace dlcore::cuda
