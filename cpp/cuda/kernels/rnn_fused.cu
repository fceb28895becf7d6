#include "cuda/kernels/rnn_fused.h"

#include <algorithm>

#include "cuda/kernels/rnn_cells.cuh"

namespace dlcore::cuda {

namespace {

constexpr int kQuad = 4;    // lanes of a unit
constexpr int kChunk = 16;  // entries of a vector that a quad multiplies in one go, 4 in each lane
constexpr int kHeld = 4;    // chunks whose weights are in registers
constexpr int kMostUnits = 128, kMostThreads = kQuad * kMostUnits;
constexpr int kMostRows = 2;  // of a block

template <RnnCell cell>
constexpr RnnSizes kSizes = rnn_sizes(cell);
using Four = Pack<float, 4>;
template <auto v>
using constant = std::integral_constant<decltype(v), v>;

__host__ __device__ constexpr int more_chunks(int units) {
  return units > kHeld * kChunk ? (units + kChunk - 1) / kChunk - kHeld : 0;
}
/// Distance between vectors of U in shared memory: whole chunks, an odd number of them so that neighbours begin in
/// other banks.
__host__ __device__ constexpr int stride_of(int units) { return ((kHeld + more_chunks(units)) | 1) * kChunk; }

/// The weights that a thread multiplies with its four entries of each chunk of a vector, for V sums.
template <int V>
class Weights {
 public:
  /// of(chunk, v) gives four; shared has shared_fours(units, threads) for all threads.
  template <class Of>
  __device__ Weights(int units, Four* shared, const Of& of) : more_(more_chunks(units)), shared_(shared + threadIdx.x) {
#pragma unroll
    for (int chunk = 0; chunk < kHeld; ++chunk)
#pragma unroll
      for (int v = 0; v < V; ++v) held_[chunk][v] = of(chunk, v);
#pragma unroll 1
    for (int chunk = 0; chunk < more_; ++chunk)
      for (int v = 0; v < V; ++v) shared_[(chunk * V + v) * blockDim.x] = of(kHeld + chunk, v);
  }
  static int shared_fours(int units, int threads) { return more_chunks(units) * V * threads; }

  /// sums[r][v] = what this thread's entries of row r's vector give for sum first + v. x: the entries of the first
  /// chunk and row; rows are `stride` apart.
  template <int first, int Rows, int N>
  __device__ void multiply(const float* x, int stride, float (&sums)[Rows][N]) const {
#pragma unroll
    for (int r = 0; r < Rows; ++r)
#pragma unroll
      for (int v = 0; v < N; ++v) sums[r][v] = 0;
#pragma unroll
    for (int chunk = 0; chunk < kHeld; ++chunk) add(x + chunk * kChunk, stride, held_[chunk] + first, sums);
#pragma unroll 1
    for (int chunk = 0; chunk < more_; ++chunk) {
      Four weights[N];
#pragma unroll
      for (int v = 0; v < N; ++v) weights[v] = shared_[(chunk * V + first + v) * blockDim.x];
      add(x + (kHeld + chunk) * kChunk, stride, weights, sums);
    }
  }

 private:
  template <int Rows, int N>
  __device__ static void add(const float* x, int stride, const Four* weights, float (&sums)[Rows][N]) {
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const Four entries = *reinterpret_cast<const Four*>(x + r * stride);
#pragma unroll
      for (int e = 0; e < 4; ++e)
#pragma unroll
        for (int v = 0; v < N; ++v) sums[r][v] = fma(entries.v[e], weights[v].v[e], sums[r][v]);
    }
  }

  Four held_[kHeld][V];
  int more_;
  Four* shared_;
};

/// Adds up over 2 * bit lanes. N values are dealt to them: the higher bits of a lane's number say which of the sums it
/// gets, and lanes that these do not tell apart get the same.
template <int bit, int N>
__device__ float sum_over_lanes(const float (&values)[N]) {
  if constexpr (bit == 0) {
    return values[0];
  } else {
    constexpr int half = N > 1 ? N / 2 : 1;
    const bool upper = N > 1 && (threadIdx.x & bit);
    float kept[half];
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const float low = values[i], high = values[N - half + i];
      kept[i] = (upper ? high : low) + shuffle_xor(upper ? low : high, bit);
    }
    return sum_over_lanes<bit / 2>(kept);
  }
}

/// What a thread has the state of: a unit and one of the block's rows, which lanes of the quad share.
struct Place {
  std::int64_t row;  // in the batch; the last one for rows beyond
  int unit, lane, slot;
  bool exists;  // and is this lane's to store
  __device__ Place(const RnnShape& s, int rows)
      : unit(static_cast<int>(threadIdx.x) / kQuad), lane(static_cast<int>(threadIdx.x) % kQuad) {
    const int sharing = kQuad / rows;
    slot = lane / sharing;
    row = static_cast<std::int64_t>(blockIdx.x) * rows + slot;
    exists = lane % sharing == 0 && row < s.batch && unit < s.units;
    row = min(row, s.batch - 1);
  }
};

__device__ std::int64_t time_of(const RnnShape& s, std::int64_t step) { return s.reverse ? s.steps - 1 - step : step; }

template <RnnCell cell, int Rows>
__global__ void __launch_bounds__(kMostThreads) forward_kernel(RnnShape s, RnnSequence io) {
  constexpr RnnSizes sizes = kSizes<cell>;
  constexpr int gates = sizes.gates;
  constexpr bool before = cell == RnnCell::GruResetBefore;
  constexpr int first_gates = before ? 2 : gates;  // those that are products of h; the last one may be of r * h
  const Place at(s, Rows);
  const int units = static_cast<int>(s.units), stride = stride_of(units), lane = at.lane;
  float* h_now = dynamic_shared<float>();  // [Rows] vectors of h; threads read these while others write h_next
  float* h_next = h_now + Rows * stride;
  float* reset = h_next + Rows * stride;  // r * h, for GruResetBefore
  float* end = before ? reset + Rows * stride : reset;
  for (float* p = h_now + threadIdx.x; p < end; p += blockDim.x) *p = 0;
  const Weights<gates> weights(units, reinterpret_cast<Four*>(end), [&](int chunk, int gate) {
    Four w;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int k = chunk * kChunk + lane * 4 + e;
      w.v[e] = k < units && at.unit < units ? io.w_h[(k * gates + gate) * units + at.unit] : 0.0f;
    }
    return w;
  });

  // A lane has one gate of all rows, GruResetAfter's last n_x beside n_h, and all gates where it has a state.
  const int column = min(lane, gates - 1) * units + min(at.unit, units - 1);
  const float bias = io.b[column], recurrent_bias = s.bias_rows == 2 ? io.b[gates * units + column] : 0.0f;
  const std::int64_t forth = s.reverse ? -1 : 1;  // in time
  std::int64_t time_row = at.row * s.steps + time_of(s, 0), saved_at = at.row * (sizes.saved * units) + at.unit;
  const float* z_at[Rows];
#pragma unroll
  for (int r = 0; r < Rows; ++r) {
    const std::int64_t row = min(static_cast<std::int64_t>(blockIdx.x) * Rows + r, s.batch - 1);
    z_at[r] = io.z + (row * s.steps + time_of(s, 0)) * (gates * units) + column;
  }
  float z[Rows];
  std::uint8_t present = 1;  // what mask has; a bool would be waited for where it is loaded
  const auto load = [&] {
#pragma unroll
    for (int r = 0; r < Rows; ++r) z[r] = *z_at[r];
    if (io.mask) present = io.mask[time_row];
  };
  float* y_at = io.y + at.row * s.steps * units + at.unit;
  float gate[4], h = 0, c = 0, y = 0;
  /// gate[first...] from the product of [Rows] vectors.
  const auto compute_gates = [&](auto first, auto count, const float* x) {
    float sums[Rows][count.value], value[Rows];
    weights.template multiply<first.value>(x + lane * 4, stride, sums);
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float padded[count.value == 1 ? 1 : kQuad] = {};
#pragma unroll
      for (int k = 0; k < count.value; ++k) padded[k] = sums[r][k];
      value[r] = gate_value(s, cell, lane, z[r] + bias, sum_over_lanes<kQuad / 2>(padded) + recurrent_bias);
    }
    const int quad = static_cast<int>(threadIdx.x) % kWarp / kQuad * kQuad;
    constexpr int last = cell == RnnCell::GruResetAfter ? 4 : first.value + count.value;
#pragma unroll
    for (int k = first.value; k < last; ++k)
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        const float v = __shfl_sync(0xffffffffu, value[r], quad + k);
        if (r == 0 || r == at.slot) gate[k] = v;
      }
  };
  load();
  __syncthreads();
  if (at.exists) {
    h = io.h0[at.row * units + at.unit];
    if (cell == RnnCell::Lstm) c = io.c0[at.row * units + at.unit];
    h_now[at.slot * stride + at.unit] = h;
  }
  __syncthreads();

  for (std::int64_t step = 0; step < s.steps; ++step) {
    float saved[sizes.saved] = {};
    const auto save = [&](int k, float v) { saved[k] = v; };
    compute_gates(constant<0>{}, constant<first_gates>{}, h_now);
    if constexpr (before) {
      if (at.exists) reset[at.slot * stride + at.unit] = reset_forward(sizes, gate, h, save);
      __syncthreads();
      compute_gates(constant<2>{}, constant<1>{}, reset);
    }
    const bool masked = !present;
    time_row += forth;
#pragma unroll
    for (int r = 0; r < Rows; ++r) z_at[r] += forth * (gates * units);
    if (step + 1 < s.steps) load();  // to be there after the next product
    if (at.exists) {
      saved[sizes.h_before] = h;
      if (!masked) y = h = step_forward(s, sizes, gate, h, c, save);
      h_next[at.slot * stride + at.unit] = h;
      *y_at = y;
      if (io.saved)
#pragma unroll
        for (int k = 0; k < sizes.saved; ++k) io.saved[saved_at + k * units] = saved[k];
    }
    y_at += units;
    saved_at += s.batch * (sizes.saved * units);
    float* other = h_now;
    h_now = h_next;
    h_next = other;
    __syncthreads();
  }
  if (!at.exists) return;
  io.h_T[at.row * units + at.unit] = h;
  if (cell == RnnCell::Lstm) io.c_T[at.row * units + at.unit] = c;
}

template <RnnCell cell, int Rows>
__global__ void __launch_bounds__(kMostThreads) backward_kernel(RnnShape s, RnnBackSequence io) {
  constexpr RnnSizes sizes = kSizes<cell>;
  constexpr int gates = sizes.gates;
  constexpr bool before = cell == RnnCell::GruResetBefore;
  const Place at(s, Rows);
  const int units = static_cast<int>(s.units), stride = stride_of(units), lane = at.lane;
  float* deltas_now = dynamic_shared<float>();  // [Rows][4] vectors, a gate's each; and those of the step after
  float* deltas_next = deltas_now + Rows * 4 * stride;
  float* end = deltas_next + Rows * 4 * stride;
  for (float* p = deltas_now + threadIdx.x; p < end; p += blockDim.x) *p = 0;
  // Four quads multiply their quarters of one gate each, for the units of all four.
  const int gate = static_cast<int>(threadIdx.x) / kQuad % 4, first_unit = at.unit - gate;
  const Weights<4> weights(units, reinterpret_cast<Four*>(end), [&](int chunk, int v) {
    const int u = first_unit + v;
    Four w;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int k = chunk * kChunk + lane * 4 + e;
      w.v[e] = k < units && u < units && gate < gates ? io.w_h[(u * gates + gate) * units + k] : 0.0f;
    }
    return w;
  });
  /// Of the lane's row and unit: the sum over the gates that take part.
  const auto product = [&](bool takes_part) {
    float sums[Rows][4] = {}, dealt[4 * Rows];
    if (takes_part) weights.template multiply<0>(deltas_now + gate * stride + lane * 4, 4 * stride, sums);
#pragma unroll
    for (int v = 0; v < 4; ++v)
#pragma unroll
      for (int r = 0; r < Rows; ++r) dealt[v * Rows + r] = sums[r][v];
    return sum_over_lanes<2 * kQuad>(dealt);
  };

  const std::int64_t state = at.row * units + at.unit;
  float dh = 0, dc = 0, carried = 0;
  const std::int64_t last = s.steps - 1, step_row = last * s.batch + at.row, forth = s.reverse ? -1 : 1;
  std::int64_t time_row = at.row * s.steps + time_of(s, last);
  const float* saved_at = io.saved + step_row * (sizes.saved * units) + at.unit;
  std::int64_t dy_at = (at.row * s.steps + last) * units + at.unit;
  float* deltas = io.deltas + step_row * (sizes.deltas * units) + at.unit;
  float* deltas_as_x = io.deltas_as_x + time_row * (sizes.deltas * units) + at.unit;
  float saved[sizes.saved] = {}, dy = 0;
  std::uint8_t present = 1;
  const auto load = [&] {
#pragma unroll
    for (int k = 0; k < sizes.saved; ++k) saved[k] = saved_at[k * units];
    if (io.mask) present = io.mask[time_row];
    if (io.dy) dy = io.dy[dy_at];
  };
  const auto saved_of = [&](int k) { return saved[k]; };
  if (at.exists) {
    if (io.dh_T) dh = io.dh_T[state];
    if (io.dc_T) dc = io.dc_T[state];
    load();
  }
  __syncthreads();

  for (std::int64_t step = s.steps - 1; step >= 0; --step) {
    const bool works = at.exists && present;
    const auto leave = [&](int k, float d) {
      deltas[k * units] = d;
      deltas_as_x[k * units] = d;
      // GruResetAfter's n_x has no recurrent weights, n_h has those of its place.
      if (cell == RnnCell::GruResetAfter && k == 2) return;
      const int of = cell == RnnCell::GruResetAfter && k == 3 ? 2 : k;
      deltas_now[(at.slot * 4 + of) * stride + at.unit] = d;
    };
    if (works) {
      dh = step_backward(s, sizes, saved_of, dh + dy + carried, dc, leave);
      carried = 0;
    } else if (at.exists) {  // states and output are those before, no gate has a gradient
      carried += dy;
      for (int k = 0; k < sizes.deltas; ++k) leave(k, 0.0f);
    }
    if constexpr (before) {
      __syncthreads();
      const float dreset = product(gate == 2);
      if (works) dh = reset_backward(s, sizes, saved_of, dreset, dh, leave);
    }
    saved_at -= s.batch * (sizes.saved * units);
    dy_at -= units;
    time_row -= forth;
    deltas -= s.batch * (sizes.deltas * units);
    deltas_as_x -= forth * (sizes.deltas * units);
    if (at.exists && step > 0) load();  // to be there after the product
    __syncthreads();
    dh += product(!before || gate < 2);
    float* other = deltas_now;
    deltas_now = deltas_next;
    deltas_next = other;
  }
  if (!at.exists) return;
  io.dh0[state] = dh;
  if (cell == RnnCell::Lstm) io.dc0[state] = dc;
}

int threads_of(const RnnShape& s) { return static_cast<int>(ceil_div(s.units * kQuad, kWarp)) * kWarp; }

std::size_t forward_bytes(const RnnShape& s, int rows) {
  const int units = static_cast<int>(s.units), vectors = s.cell == RnnCell::GruResetBefore ? 3 : 2;
  const int fours = rnn_gates(s.cell) * Weights<1>::shared_fours(units, threads_of(s));
  return vectors * rows * stride_of(units) * sizeof(float) + fours * sizeof(Four);
}
std::size_t backward_bytes(const RnnShape& s, int rows) {
  const int units = static_cast<int>(s.units);
  return 2 * 4 * rows * stride_of(units) * sizeof(float) +
         Weights<4>::shared_fours(units, threads_of(s)) * sizeof(Four);
}

/// Calls body(cell, rows) with both as constants. A block has one row while all blocks run at once.
template <class Body>
void with_constants(const RnnShape& s, int sm_count, const Body& body) {
  const int blocks_at_once = s.units <= kHeld * kChunk ? 2 : 1;  // on a multiprocessor, for registers and shared memory
  const auto with_rows = [&](auto cell) {
    if (s.batch <= blocks_at_once * sm_count)
      body(cell, constant<1>{});
    else
      body(cell, constant<kMostRows>{});
  };
  switch (s.cell) {
    case RnnCell::Lstm:
      return with_rows(constant<RnnCell::Lstm>{});
    case RnnCell::GruResetAfter:
      return with_rows(constant<RnnCell::GruResetAfter>{});
    case RnnCell::GruResetBefore:
      return with_rows(constant<RnnCell::GruResetBefore>{});
    case RnnCell::Simple:
      return with_rows(constant<RnnCell::Simple>{});
  }
}

}  // namespace

bool rnn_is_fused(const RnnShape& s, DType dtype, std::size_t shared_bytes) {
  return dtype == DType::F32 && s.units <= kMostUnits &&
         std::max(forward_bytes(s, kMostRows), backward_bytes(s, kMostRows)) <= shared_bytes;
}

void rnn_fused_forward(cudaStream_t stream, const RnnShape& s, int sm_count, const RnnSequence& io) {
  with_constants(s, sm_count, [&](auto cell, auto rows) {
    launch(forward_kernel<cell.value, rows.value>, blocks_for(s.batch, rows.value), threads_of(s),
           forward_bytes(s, rows.value), stream, s, io);
  });
}

void rnn_fused_backward(cudaStream_t stream, const RnnShape& s, int sm_count, const RnnBackSequence& io) {
  with_constants(s, sm_count, [&](auto cell, auto rows) {
    launch(backward_kernel<cell.value, rows.value>, blocks_for(s.batch, rows.value), threads_of(s),
           backward_bytes(s, rows.value), stream, s, io);
  });
}

}  // namespace dlcore::cuda
