#include "cuda/kernels/reduce.h"

#include <algorithm>

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/pointwise_math.cuh"

namespace dlcore::cuda {

namespace {

constexpr int kColumns = 32, kRowLanes = 8;      // of a block of columns
constexpr int kRowLoads = 4, kColumnLoads = 8;   // of a thread at a time, each with an accumulator of its own
constexpr int kPack = kRowLoads;                 // elements of a row that are loaded together
constexpr std::int64_t kShortRow = 1024;         // one warp reduces it
constexpr std::int64_t kLeastPiece = 2048;       // elements of a row that are worth a block of their own
constexpr std::int64_t kLeastColumnPiece = 128;  // likewise rows of a block of columns

// An operation: its neutral element, what becomes of an element, how two are combined. M: the computed type.
template <class M>
struct SumOp {
  static __device__ M neutral() { return 0; }
  static __device__ M map(M x, M) { return x; }
  __device__ M operator()(M a, M b) const { return dlcore_math::op_add(a, b); }
};
template <class M>
struct ProdOp : SumOp<M> {
  static __device__ M neutral() { return 1; }
  __device__ M operator()(M a, M b) const { return dlcore_math::op_mul(a, b); }
};
template <class M>
__device__ M extreme(bool greatest) {
  if constexpr (std::is_floating_point_v<M>) {
    return static_cast<M>(greatest ? INFINITY : -INFINITY);
  } else {
    const M lowest = std::is_signed_v<M> ? static_cast<M>(1ull << (8 * sizeof(M) - 1)) : static_cast<M>(0);
    return greatest ? static_cast<M>(~lowest) : lowest;
  }
}
template <class M>
struct MaxOp : SumOp<M> {
  static __device__ M neutral() { return extreme<M>(false); }
  __device__ M operator()(M a, M b) const { return dlcore_math::op_maximum(a, b); }
};
template <class M>
struct MinOp : SumOp<M> {
  static __device__ M neutral() { return extreme<M>(true); }
  __device__ M operator()(M a, M b) const { return dlcore_math::op_minimum(a, b); }
};
template <class M>
struct SumExpOp : SumOp<M> {
  static __device__ M map(M x, M center) { return exp(x - center); }
};
template <class M>
struct SumSquareOp : SumOp<M> {
  static __device__ M map(M x, M center) { return (x - center) * (x - center); }
};

/// What a kernel does with a result.
template <class M>
struct Finish {
  ReduceFinish kind;
  M count;
  const M* center;
  __device__ M operator()(M v, std::int64_t at) const {
    if constexpr (std::is_floating_point_v<M>) {
      if (kind == ReduceFinish::Divide) return v / count;
      if (kind == ReduceFinish::AddLog) return center[at] + log(v);
    }
    return v;
  }
};

/// Of a multiprocessor: what leaves registers enough for a thread's loads and accumulators.
template <class M>
constexpr int kBlocks = sizeof(M) > 4 ? 2 : 4;

/// The accumulators of a thread as one, in order.
template <class Op, int N, class M>
__device__ M join(const M (&v)[N]) {
  M all = v[0];
#pragma unroll
  for (int k = 1; k < N; ++k) all = Op()(all, v[k]);
  return all;
}

/// Row blockIdx.x * blockDim.y + threadIdx.y, piece blockIdx.y of it; blockDim.x threads, a warp or a block.
/// y[row, piece]. A thread takes packs where rows and pieces are whole packs; wide: memory is aligned for them.
template <class In, class Out, class Op, class M>
__global__ void __launch_bounds__(kThreads, kBlocks<M>)
    reduce_rows(std::int64_t rows, std::int64_t n, std::int64_t piece, bool wide, const In* x, const M* center,
                Finish<M> finish, Out* y) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  const bool exists = row < rows, packed = n % kPack == 0;
  const std::int64_t first = blockIdx.y * piece, last = !exists ? 0 : first + piece < n ? first + piece : n;
  const M middle = exists && center ? center[row] : M(0);
  const int threads = static_cast<int>(blockDim.x), step = kPack * threads, apart = packed ? 1 : threads;
  const int own = static_cast<int>(threadIdx.x) * (packed ? kPack : 1);
  const In* from = x + row * n + own;
  const Op op;
  M v[kRowLoads];
#pragma unroll
  for (int k = 0; k < kRowLoads; ++k) v[k] = Op::neutral();
  std::int64_t i = first;
  for (; i + kRowLoads * step <= last; i += kRowLoads * step) {
    Pack<In, kPack> packs[kRowLoads];
    if (packed && wide) {
#pragma unroll
      for (int k = 0; k < kRowLoads; ++k) packs[k] = *reinterpret_cast<const Pack<In, kPack>*>(from + i + k * step);
    } else {
#pragma unroll
      for (int k = 0; k < kRowLoads; ++k)
#pragma unroll
        for (int w = 0; w < kPack; ++w) packs[k].v[w] = from[i + k * step + w * apart];
    }
#pragma unroll
    for (int k = 0; k < kRowLoads; ++k)
#pragma unroll
      for (int w = 0; w < kPack; ++w) v[k] = op(v[k], Op::map(to_math(packs[k].v[w]), middle));
  }
  for (; i < last; i += step)
#pragma unroll
    for (int w = 0; w < kPack; ++w)
      if (i + own + w * apart < last) v[w] = op(v[w], Op::map(to_math(from[i + w * apart]), middle));
  const M joined = join<Op>(v), all = threads == kWarp ? warp_reduce(joined, op) : block_reduce(joined, op);
  if (exists && threadIdx.x == 0) y[row * gridDim.y + blockIdx.y] = from_math<Out>(finish(all, row));
}

/// Columns of x[outer, n, inner]: a block takes kColumns of one outer, and piece blockIdx.y. y[outer, piece, inner].
template <class In, class Out, class Op, class M>
__global__ void __launch_bounds__(kThreads, kBlocks<M>)
    reduce_columns(std::int64_t n, std::int64_t inner, std::int64_t piece, const In* x, const M* center,
                   Finish<M> finish, Out* y) {
  __shared__ M part[kRowLanes][kColumns];
  const std::int64_t groups = (inner + kColumns - 1) / kColumns;
  const std::int64_t outer = blockIdx.x / groups, column = blockIdx.x % groups * kColumns + threadIdx.x;
  const std::int64_t first = blockIdx.y * piece, last = first + piece < n ? first + piece : n;
  const Op op;
  M sums[kColumnLoads];
#pragma unroll
  for (int k = 0; k < kColumnLoads; ++k) sums[k] = Op::neutral();
  if (column < inner) {
    const M middle = center ? center[outer * inner + column] : M(0);
    std::int64_t i = first + threadIdx.y;
    const In* from = x + (outer * n + i) * inner + column;
    for (; i + (kColumnLoads - 1) * kRowLanes < last; i += kColumnLoads * kRowLanes) {
      In loaded[kColumnLoads];
#pragma unroll
      for (int k = 0; k < kColumnLoads; ++k, from += kRowLanes * inner) loaded[k] = *from;
#pragma unroll
      for (int k = 0; k < kColumnLoads; ++k) sums[k] = op(sums[k], Op::map(to_math(loaded[k]), middle));
    }
    for (; i < last; i += kRowLanes, from += kRowLanes * inner) sums[0] = op(sums[0], Op::map(to_math(*from), middle));
  }
  M v = join<Op>(sums);
  part[threadIdx.y][threadIdx.x] = v;
  __syncthreads();
  if (threadIdx.y != 0 || column >= inner) return;
  for (int lane = 1; lane < kRowLanes; ++lane) v = op(v, part[lane][threadIdx.x]);
  y[(outer * gridDim.y + blockIdx.y) * inner + column] = from_math<Out>(finish(v, outer * inner + column));
}

/// Elements of a piece: whole packs, of rows that are.
std::int64_t piece_of(std::int64_t n, std::int64_t pieces) { return ceil_div(ceil_div(n, pieces), kPack) * kPack; }

/// One pass: y[outer, pieces, inner].
template <class In, class Out, class Op, class M>
void reduce_pass(cudaStream_t stream, std::int64_t outer, std::int64_t n, std::int64_t inner, std::int64_t pieces,
                 const In* x, const M* center, const Finish<M>& finish, Out* y) {
  const std::int64_t piece = piece_of(std::max<std::int64_t>(n, 1), pieces);
  const auto grid_y = static_cast<unsigned>(pieces);
  if (inner > 1)
    return launch(reduce_columns<In, Out, Op, M>,
                  dim3(static_cast<unsigned>(outer * ceil_div(inner, kColumns)), grid_y), dim3(kColumns, kRowLanes), 0,
                  stream, n, inner, piece, x, center, finish, y);
  const bool warps = piece <= kShortRow;
  launch(reduce_rows<In, Out, Op, M>,
         dim3(warps ? blocks_for(outer, kThreads / kWarp) : static_cast<unsigned>(outer), grid_y),
         warps ? dim3(kWarp, kThreads / kWarp) : dim3(kThreads), 0, stream, outer, n, piece,
         is_aligned(x, sizeof(Pack<In, kPack>)), x, center, finish, y);
}

template <template <class> class Op, class T, class Out>
void reduce_as(cudaStream_t stream, const ReduceShape& s, ReduceFinish kind, const void* x, const void* center_bytes,
               void* y, void* scratch) {
  using M = math_t<T>;
  const M* center = static_cast<const M*>(center_bytes);
  const Finish<M> finish{kind, static_cast<M>(s.reduce), center}, none{ReduceFinish::None, M(1), nullptr};
  // How partial results are combined: sums of any kind are added.
  constexpr bool maps = std::is_same_v<Op<M>, SumExpOp<M>> || std::is_same_v<Op<M>, SumSquareOp<M>>;
  using Join = std::conditional_t<maps, SumOp<M>, Op<M>>;
  if (s.pieces == 1)
    return reduce_pass<T, Out, Op<M>, M>(stream, s.outer, s.reduce, s.inner, 1, static_cast<const T*>(x), center,
                                         finish, static_cast<Out*>(y));
  M* partial = static_cast<M*>(scratch);
  reduce_pass<T, M, Op<M>, M>(stream, s.outer, s.reduce, s.inner, s.pieces, static_cast<const T*>(x), center, none,
                              partial);
  reduce_pass<M, Out, Join, M>(stream, s.outer, s.pieces, s.inner, 1, partial, nullptr, finish, static_cast<Out*>(y));
}

template <template <class> class Op, class T>
void reduce_op(cudaStream_t stream, const ReduceShape& s, ReduceFinish kind, bool wide, const void* x,
               const void* center, void* y, void* scratch) {
  if constexpr (!std::is_same_v<T, math_t<T>>)
    if (wide) return reduce_as<Op, T, math_t<T>>(stream, s, kind, x, center, y, scratch);
  reduce_as<Op, T, T>(stream, s, kind, x, center, y, scratch);
}

// ---- positions of extrema

/// An element and where it is. The better one comes first in a row when neither is greater.
template <class M>
struct Candidate {
  M value;
  std::int32_t index;
};

template <class M>
__device__ Candidate<M> better(Candidate<M> a, Candidate<M> b, bool smallest) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan ? a : b;
  if (!a_nan && a.value != b.value) return (a.value < b.value) == smallest ? a : b;
  return a.index < b.index ? a : b;
}

/// A warp per row.
template <class T>
__global__ void arg_rows(bool smallest, std::int64_t rows, std::int64_t n, const T* x, std::int32_t* y) {
  using M = math_t<T>;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const std::int64_t start = threadIdx.x < n ? threadIdx.x : 0;
  Candidate<M> best{to_math(x[row * n + start]), static_cast<std::int32_t>(start)};
  for (std::int64_t i = start + kWarp; i < n; i += kWarp)
    best = better(best, {to_math(x[row * n + i]), static_cast<std::int32_t>(i)}, smallest);
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2)
    best = better(best, {shuffle_xor(best.value, lanes), shuffle_xor(best.index, lanes)}, smallest);
  if (threadIdx.x == 0) y[row] = best.index;
}

/// A thread per column.
template <class T>
__global__ void arg_columns(bool smallest, std::int64_t columns, std::int64_t n, std::int64_t inner, const T* x,
                            std::int32_t* y) {
  using M = math_t<T>;
  const std::int64_t column = thread_index();
  if (column >= columns) return;
  const T* from = x + column / inner * n * inner + column % inner;
  Candidate<M> best{to_math(from[0]), 0};
  for (std::int64_t i = 1; i < n; ++i)
    best = better(best, {to_math(from[i * inner]), static_cast<std::int32_t>(i)}, smallest);
  y[column] = best.index;
}

template <class M>
__global__ void make_finite_elements(std::int64_t n, M* center) {
  const std::int64_t i = thread_index();
  if (i < n && !dlcore_math::op_isfinite(center[i])) center[i] = 0;
}

}  // namespace

ReduceShape::ReduceShape(std::int64_t outer, std::int64_t reduce, std::int64_t inner, int sm_count)
    : outer(outer), reduce(reduce), inner(inner), pieces(1) {
  // Enough blocks to fill the device with loads, none with too little to do.
  const std::int64_t blocks = inner > 1 ? outer * ceil_div(inner, kColumns) : outer;
  const std::int64_t wanted = ceil_div((inner > 1 ? 8 : 4) * std::max(sm_count, 1), std::max<std::int64_t>(blocks, 1));
  const std::int64_t most = reduce / (inner > 1 ? kLeastColumnPiece : kLeastPiece);
  pieces = std::clamp<std::int64_t>(std::min(wanted, most), 1, 1024);
  if (pieces > 1) pieces = ceil_div(reduce, piece_of(reduce, pieces));  // none is empty
}

std::size_t ReduceShape::scratch_bytes() const {
  return pieces == 1 ? 0 : static_cast<std::size_t>(outer * pieces * inner) * sizeof(double);
}

void reduce(cudaStream_t stream, ReduceOp op, DType dtype, const ReduceShape& shape, ReduceFinish finish, bool wide,
            const void* x, const void* center, void* y, void* scratch) {
  if (shape.outer * shape.inner == 0) return;
  with_number(dtype, [&]<class T>(T) {
    switch (op) {
      case ReduceOp::Sum:
        return reduce_op<SumOp, T>(stream, shape, finish, wide, x, center, y, scratch);
      case ReduceOp::Prod:
        return reduce_op<ProdOp, T>(stream, shape, finish, wide, x, center, y, scratch);
      case ReduceOp::Max:
        return reduce_op<MaxOp, T>(stream, shape, finish, wide, x, center, y, scratch);
      case ReduceOp::Min:
        return reduce_op<MinOp, T>(stream, shape, finish, wide, x, center, y, scratch);
      default:
        break;
    }
    if constexpr (std::is_floating_point_v<math_t<T>>) {
      if (op == ReduceOp::SumExp)
        reduce_op<SumExpOp, T>(stream, shape, finish, wide, x, center, y, scratch);
      else
        reduce_op<SumSquareOp, T>(stream, shape, finish, wide, x, center, y, scratch);
    }
  });
}

void make_finite(cudaStream_t stream, DType dtype, std::int64_t n, void* center) {
  if (dtype == DType::F64)
    launch(make_finite_elements<double>, blocks_for(n, kThreads), kThreads, 0, stream, n, static_cast<double*>(center));
  else
    launch(make_finite_elements<float>, blocks_for(n, kThreads), kThreads, 0, stream, n, static_cast<float*>(center));
}

void arg_reduce(cudaStream_t stream, bool smallest, DType dtype, std::int64_t outer, std::int64_t reduce,
                std::int64_t inner, const void* x, std::int32_t* y) {
  with_number(dtype, [&]<class T>(T) {
    if (inner == 1)
      launch(arg_rows<T>, blocks_for(outer, kThreads / kWarp), dim3(kWarp, kThreads / kWarp), 0, stream, smallest,
             outer, reduce, static_cast<const T*>(x), y);
    else
      launch(arg_columns<T>, blocks_for(outer * inner, kThreads), kThreads, 0, stream, smallest, outer * inner, reduce,
             inner, static_cast<const T*>(x), y);
  });
}

}  // namespace dlcore::cuda
