// Whole sequences in one kernel, where w_h fits on a multiprocessor: float32. A block takes some rows of the batch
// through all steps, a thread has one column of the recurrent weights: its first kHeld numbers in registers, the rest
// in shared memory. Two barriers a step: after the products, and after the cells, each of which is one thread's.
#include <algorithm>
#include <type_traits>

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/rnn.h"
#include "cuda/kernels/rnn_cells.cuh"

namespace dlcore::cuda {

namespace {

constexpr int kMostUnits = 128, kMostColumns = 512;
using Quad = Pack<float, 4>;

template <RnnCell cell>
struct Layout {  // as constants of the device
  static constexpr int gates = rnn_gates(cell);
  static constexpr int saved = rnn_layout(cell).saved, h_before = rnn_layout(cell).h_before;
  static constexpr int deltas = rnn_layout(cell).deltas;
};

/// One column of weights against the vectors of some rows.
template <int kHeld, int kRows>
class Column {
 public:
  /// Number p is from[p * step], p < units; this thread's column of `columns`.
  __device__ Column(const float* from, std::int64_t step, int units, int columns, bool exists, float* shared)
      : rest_(shared + threadIdx.x),
        columns_(columns),
        rest_count_(exists && units > kHeld ? (units - kHeld + 3) / 4 * 4 : 0) {
#pragma unroll
    for (int p = 0; p < kHeld; ++p) held_[p] = exists && p < units ? from[p * step] : 0.0f;
    for (int p = 0; p < rest_count_; ++p)
      rest_[p * columns_] = kHeld + p < units ? from[(kHeld + p) * step] : 0.0f;
  }
  /// sums[r] of row r, whose vector begins at vectors + r * distance and ends in zeros.
  __device__ __forceinline__ void multiply(const float* vectors, int distance, float* sums) const {
    float part[kRows][4] = {};
#pragma unroll
    for (int p = 0; p < kHeld; p += 4) add(vectors + p, distance, held_ + p, part);
    for (int p = 0; p < rest_count_; p += 4) {
      float w[4];
#pragma unroll
      for (int q = 0; q < 4; ++q) w[q] = rest_[(p + q) * columns_];
      add(vectors + kHeld + p, distance, w, part);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) sums[r] = (part[r][0] + part[r][1]) + (part[r][2] + part[r][3]);
  }

 private:
  static __device__ __forceinline__ void add(const float* vectors, int distance, const float* w,
                                             float (&part)[kRows][4]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const Quad x = *reinterpret_cast<const Quad*>(vectors + r * distance);
#pragma unroll
      for (int q = 0; q < 4; ++q) part[r][q] = fmaf(w[q], x.v[q], part[r][q]);
    }
  }

  float held_[kHeld];
  float* rest_;
  int columns_, rest_count_;
};

__device__ inline std::int64_t time_of(const RnnShape& s, std::int64_t step) {
  return s.reverse ? s.steps - 1 - step : step;
}

/// The row of the block and the unit whose cell is this thread's.
struct Owned {
  int r, unit;
  std::int64_t row;
  bool exists;
  __device__ Owned(const RnnShape& s, int rows)
      : r(static_cast<int>(threadIdx.x) / static_cast<int>(s.units)),
        unit(static_cast<int>(threadIdx.x) % static_cast<int>(s.units)),
        row(static_cast<std::int64_t>(blockIdx.x) * rows + r),
        exists(r < rows && row < s.batch) {}
  /// In [B, vectors*U].
  __device__ std::int64_t in(const RnnShape& s, int vectors, int k) const {
    return (row * vectors + k) * s.units + unit;
  }
};

// ---- forward

/// What the cell of a thread has at a step.
template <RnnCell cell>
struct ForwardCell {
  static constexpr int gates = Layout<cell>::gates;
  const RnnShape& s;
  const float *z, *zh, *bias;  // zh: the products of the row, units apart by gate
  float *h, *c, *y;
  float* saved_at;  // null: not kept

  __device__ float input(int gate) const { return z[gate] + bias[gate]; }
  __device__ float recurrent(int gate) const { return zh[gate * s.units]; }
  __device__ float second_bias(int gate) const { return cell == RnnCell::GruResetAfter ? bias[gates + gate] : 0.0f; }
  __device__ float h_before() const { return *h; }
  __device__ float c_before() const { return *c; }
  __device__ float saved(int) const { return 0; }
  __device__ void save(int k, float v) const {
    if (saved_at) saved_at[k * s.units] = v;
  }
  __device__ void put_c(float value) const { *c = value; }
  __device__ void put(float value) const { *h = *y = value; }
};

template <RnnCell cell, int kHeld, int kRows>
__global__ void __launch_bounds__(kMostColumns) forward_kernel(RnnSequence io) {
  using L = Layout<cell>;
  const RnnShape& s = io.shape;
  alignas(16) __shared__ float h_of[kRows * kMostUnits];
  __shared__ float products[kRows * kMostColumns];
  const int thread = static_cast<int>(threadIdx.x), units = static_cast<int>(s.units), columns = L::gates * units;
  const bool has_column = thread < columns;
  const Column<kHeld, kRows> column(io.w_h + thread, columns, units, columns, has_column, dynamic_shared<float>());
  for (int i = thread; i < kRows * kMostUnits; i += static_cast<int>(blockDim.x)) h_of[i] = 0;

  const Owned own(s, kRows);
  float h = 0, c = 0, y = 0, bias[2 * L::gates] = {}, z[L::gates] = {};
  const auto load_inputs = [&](std::int64_t step, float* to) {
    const std::int64_t at = own.row * s.steps + time_of(s, step);
#pragma unroll
    for (int gate = 0; gate < L::gates; ++gate) to[gate] = io.z[(at * L::gates + gate) * units + own.unit];
  };
  if (own.exists) {
    h = io.h0[own.in(s, 1, 0)];
    if (cell == RnnCell::Lstm) c = io.c0[own.in(s, 1, 0)];
#pragma unroll
    for (int k = 0; k < L::gates * 2; ++k)
      if (k < L::gates * s.bias_rows) bias[k] = io.b[k * units + own.unit];
    load_inputs(0, z);
  }
  __syncthreads();
  if (own.exists) h_of[own.r * kMostUnits + own.unit] = h;
  __syncthreads();
  for (std::int64_t step = 0; step < s.steps; ++step) {
    float next[L::gates] = {};
    if (own.exists && step + 1 < s.steps) load_inputs(step + 1, next);
    float sums[kRows];
    column.multiply(h_of, kMostUnits, sums);
    if (has_column)
#pragma unroll
      for (int r = 0; r < kRows; ++r) products[r * kMostColumns + thread] = sums[r];
    __syncthreads();
    if (own.exists) {
      float* saved = io.workspace ? io.workspace + step * s.batch * L::saved * units + own.in(s, L::saved, 0) : nullptr;
      if (saved) saved[L::h_before * units] = h;
      // Masked: the states stay and the output is repeated.
      if (!io.mask || io.mask[own.row * s.steps + time_of(s, step)])
        cell_forward<float>(
            cell, ForwardCell<cell>{s, z, products + own.r * kMostColumns + own.unit, bias, &h, &c, &y, saved});
      io.y[(own.row * s.steps + step) * units + own.unit] = y;
      h_of[own.r * kMostUnits + own.unit] = h;
    }
#pragma unroll
    for (int gate = 0; gate < L::gates; ++gate) z[gate] = next[gate];
    __syncthreads();
  }
  if (!own.exists) return;
  io.h[own.in(s, 1, 0)] = h;
  if (cell == RnnCell::Lstm) io.c[own.in(s, 1, 0)] = c;
}

// ---- backward

template <RnnCell cell>
struct BackwardCell {
  const RnnShape& s;
  const float* saved_values;
  float *dc_at, *rest;
  float *shared_deltas, *deltas;  // kMostUnits apart, units apart

  __device__ float saved(int k) const { return saved_values[k]; }
  __device__ float h_before() const { return saved_values[Layout<cell>::h_before]; }
  __device__ float dc() const { return *dc_at; }
  __device__ void leave(int k, float d) const { shared_deltas[k * kMostUnits] = deltas[k * s.units] = d; }
  __device__ void put_dc(float d) const { *dc_at = d; }
  __device__ void put_rest(float d) const { *rest = d; }
};

/// A thread's column: the weights between a unit and all columns of one gate.
template <RnnCell cell, int kHeld, int kRows>
__global__ void __launch_bounds__(kMostColumns) backward_kernel(RnnSequenceGradient io) {
  using L = Layout<cell>;
  const RnnShape& s = io.shape;
  alignas(16) __shared__ float deltas_of[kRows * L::deltas * kMostUnits];
  __shared__ float products[kRows * kMostColumns];
  const int thread = static_cast<int>(threadIdx.x), units = static_cast<int>(s.units), columns = L::gates * units;
  const bool has_column = thread < columns;
  const int gate = has_column ? thread / units : 0, unit = thread % units;
  const Column<kHeld, kRows> column(io.w_h + unit * columns + gate * units, 1, units, columns, has_column,
                                    dynamic_shared<float>());
  // GruResetAfter: the candidate's recurrent sum has a delta of its own, the last.
  const int delta = cell == RnnCell::GruResetAfter && gate == 2 ? 3 : gate;
  for (int i = thread; i < kRows * L::deltas * kMostUnits; i += static_cast<int>(blockDim.x)) deltas_of[i] = 0;
  for (int i = thread; i < kRows * kMostColumns; i += static_cast<int>(blockDim.x)) products[i] = 0;

  const Owned own(s, kRows);
  float rest = 0, dc = 0, carried = 0, dy = 0, saved[L::saved] = {};
  const auto load = [&](std::int64_t step, float* to, float& dy_to) {
    const float* from = io.workspace + step * s.batch * L::saved * units + own.in(s, L::saved, 0);
#pragma unroll
    for (int k = 0; k < L::saved; ++k) to[k] = from[k * units];
    if (io.dy) dy_to = io.dy[(own.row * s.steps + step) * units + own.unit];
  };
  const auto from_gates = [&] {
    float sum = 0;
#pragma unroll
    for (int k = 0; k < L::gates; ++k) sum += products[own.r * kMostColumns + k * units + own.unit];
    return sum;
  };
  if (own.exists) {
    if (io.dh_T) rest = io.dh_T[own.in(s, 1, 0)];
    if (cell == RnnCell::Lstm && io.dc_T) dc = io.dc_T[own.in(s, 1, 0)];
    load(s.steps - 1, saved, dy);
  }
  __syncthreads();
  for (std::int64_t step = s.steps - 1; step >= 0; --step) {
    float next[L::saved] = {}, next_dy = 0;
    if (own.exists) {
      if (step > 0) load(step - 1, next, next_dy);
      rest += from_gates();
      const BackwardCell<cell> at{s,
                                  saved,
                                  &dc,
                                  &rest,
                                  deltas_of + own.r * L::deltas * kMostUnits + own.unit,
                                  io.deltas + step * s.batch * L::deltas * units + own.in(s, L::deltas, 0)};
      if (io.mask && !io.mask[own.row * s.steps + time_of(s, step)]) {  // the states and the output are those before
        for (int k = 0; k < L::deltas; ++k) at.leave(k, 0);
        carried += dy;
      } else {
        const float dh = rest + dy + carried;
        carried = 0;
        cell_backward<float>(cell, at, dh);
      }
    }
    __syncthreads();
    float sums[kRows];
    column.multiply(deltas_of + delta * kMostUnits, L::deltas * kMostUnits, sums);
    if (has_column)
#pragma unroll
      for (int r = 0; r < kRows; ++r) products[r * kMostColumns + thread] = sums[r];
#pragma unroll
    for (int k = 0; k < L::saved; ++k) saved[k] = next[k];
    dy = next_dy;
    __syncthreads();
  }
  if (!own.exists) return;
  io.dh[own.in(s, 1, 0)] = rest + from_gates();
  if (cell == RnnCell::Lstm) io.dc[own.in(s, 1, 0)] = dc;
}

// ---- which kernel

constexpr int kFewHeld = 32, kManyHeld = 64;

int held_of(const RnnShape& s) { return s.units <= kFewHeld ? kFewHeld : kManyHeld; }
std::size_t shared_bytes(const RnnShape& s) {
  const std::int64_t rest = std::max<std::int64_t>(0, (s.units - held_of(s) + 3) / 4 * 4);
  return static_cast<std::size_t>(rest * rnn_gates(s.cell) * s.units) * sizeof(float);
}
/// Rows of a block: more where the batch would need more blocks than there are multiprocessors; a cell is a thread.
int most_rows(RnnCell cell) { return cell == RnnCell::Lstm ? 4 : cell == RnnCell::GruResetAfter ? 2 : 1; }
bool takes_most_rows(const RnnShape& s, int sm_count) { return s.batch > sm_count; }

template <RnnCell cell, int kHeld, int kRows, class Sequence>
void launch_sequence(cudaStream_t stream, const Sequence& io) {
  const auto kernel = [] {
    if constexpr (std::is_same_v<Sequence, RnnSequence>)
      return &forward_kernel<cell, kHeld, kRows>;
    else
      return &backward_kernel<cell, kHeld, kRows>;
  }();
  const std::size_t bytes = shared_bytes(io.shape);
  allow_shared(kernel, bytes);
  const auto threads = static_cast<unsigned>(ceil_div(rnn_gates(cell) * io.shape.units, kWarp) * kWarp);
  launch(kernel, blocks_for(io.shape.batch, kRows), threads, bytes, stream, io);
}

template <RnnCell cell, int kMostRows, class Sequence>
void run_cell(cudaStream_t stream, const Sequence& io, int sm_count) {
  const bool many = takes_most_rows(io.shape, sm_count);
  if (held_of(io.shape) == kFewHeld)
    many ? launch_sequence<cell, kFewHeld, kMostRows>(stream, io) : launch_sequence<cell, kFewHeld, 1>(stream, io);
  else
    many ? launch_sequence<cell, kManyHeld, kMostRows>(stream, io) : launch_sequence<cell, kManyHeld, 1>(stream, io);
}

template <class Sequence>
void run_sequence(cudaStream_t stream, const Sequence& io, int sm_count) {
  switch (io.shape.cell) {
    case RnnCell::Lstm:
      return run_cell<RnnCell::Lstm, 4>(stream, io, sm_count);
    case RnnCell::GruResetAfter:
      return run_cell<RnnCell::GruResetAfter, 2>(stream, io, sm_count);
    default:
      return run_cell<RnnCell::Simple, 1>(stream, io, sm_count);
  }
}

}  // namespace

bool rnn_fits_one_kernel(const RnnShape& s, DType dtype, std::size_t most_shared_bytes, int sm_count) {
  // Beyond a few blocks for each multiprocessor, the library's products are faster.
  const std::int64_t most_batch = std::int64_t{4} * most_rows(s.cell) * sm_count;
  const std::size_t fixed = 2 * 4 * kMostColumns * sizeof(float);  // of the kernels' own arrays
  return dtype == DType::F32 && s.cell != RnnCell::GruResetBefore && s.units <= kMostUnits && s.batch <= most_batch &&
         shared_bytes(s) + fixed <= most_shared_bytes;
}
void rnn_forward(cudaStream_t stream, const RnnSequence& sequence, int sm_count) {
  run_sequence(stream, sequence, sm_count);
}
void rnn_backward(cudaStream_t stream, const RnnSequenceGradient& gradient, int sm_count) {
  run_sequence(stream, gradient, sm_count);
}

}  // namespace dlcore::cuda
