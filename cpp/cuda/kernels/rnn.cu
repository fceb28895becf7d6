#include "cuda/kernels/rnn.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/rnn_cells.cuh"

namespace dlcore::cuda {

namespace {

/// A row and a unit, and the columns of the arrays that are theirs.
struct Cell {
  std::int64_t row, unit, units, gates;
  bool exists;
  __device__ explicit Cell(const RnnShape& s, int gates) : units(s.units), gates(gates) {
    const std::int64_t i = thread_index();
    row = i / units;
    unit = i % units;
    exists = row < s.batch;
  }
  /// In [B, vectors*U].
  __device__ std::int64_t in(std::int64_t vectors, std::int64_t k) const { return (row * vectors + k) * units + unit; }
};

struct Sizes {  // of a cell, as kernel parameters: constexpr functions of the host are not the device's
  int gates, saved, h_before, reset, deltas;
};
Sizes sizes_of(RnnCell cell) {
  const RnnLayout layout = rnn_layout(cell);
  return {rnn_gates(cell), layout.saved, layout.h_before, layout.reset, layout.deltas};
}

/// Typed views of a step.
template <class T>
struct Forward {
  const RnnShape& s;
  const RnnStep& io;
  const Sizes& sizes;
  Cell at;
  const T *z, *zh, *b;
  T *h, *c, *saved_at, *y;

  __device__ Forward(const RnnShape& s, const RnnStep& io, const Sizes& sizes)
      : s(s),
        io(io),
        sizes(sizes),
        at(s, sizes.gates),
        z(static_cast<const T*>(io.z)),
        zh(static_cast<const T*>(io.zh)),
        b(static_cast<const T*>(io.b)),
        h(static_cast<T*>(io.h)),
        c(static_cast<T*>(io.c)),
        saved_at(static_cast<T*>(io.saved)),
        y(static_cast<T*>(io.y)) {}
  __device__ T input(int gate) const {
    return z[((at.row * s.steps + io.time) * sizes.gates + gate) * at.units + at.unit] + b[gate * at.units + at.unit];
  }
  __device__ T recurrent(int gate) const { return zh[at.in(sizes.gates, gate)]; }
  __device__ T second_bias(int gate) const {
    return s.bias_rows == 2 ? b[(sizes.gates + gate) * at.units + at.unit] : T(0);
  }
  __device__ T h_before() const { return h[at.in(1, 0)]; }
  __device__ T c_before() const { return c[at.in(1, 0)]; }
  __device__ void put_c(T value) const { c[at.in(1, 0)] = value; }
  __device__ T sum(int gate) const { return input(gate) + recurrent(gate); }
  __device__ void save(int k, T v) const {
    if (saved_at) saved_at[at.in(sizes.saved, k)] = v;
  }
  __device__ T saved(int k) const { return saved_at[at.in(sizes.saved, k)]; }
  __device__ T gate(T x) const { return activate(s.recurrent_activation, x); }
  __device__ bool masked() const { return io.mask && !io.mask[at.row * s.steps + io.time]; }
  __device__ T* output() const { return y + (at.row * s.steps + io.step) * at.units + at.unit; }
  __device__ void put(T value) const {
    h[at.in(1, 0)] = value;
    *output() = value;
  }
};

template <class T>
__global__ void gates_forward_kernel(RnnShape s, RnnStep io, Sizes sizes) {
  const Forward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  const T h_before = f.h_before();
  const T z = f.gate(f.sum(0)), r = f.gate(f.sum(1));
  static_cast<T*>(io.reset)[f.at.in(1, 0)] = r * h_before;
  f.save(sizes.h_before, h_before);
  f.save(sizes.reset, r * h_before);
  f.save(0, z);
  f.save(1, r);
}

template <class T>
__global__ void step_forward_kernel(RnnShape s, RnnStep io, Sizes sizes) {
  const Forward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  if (s.cell != RnnCell::GruResetBefore) f.save(sizes.h_before, f.h_before());
  if (f.masked()) {  // the states stay and the output is repeated
    *f.output() = io.step > 0 ? *(f.output() - f.at.units) : T(0);
    return;
  }
  cell_forward<T>(s.cell, f);
}

template <class T>
struct Backward {
  const RnnShape& s;
  const RnnBackStep& io;
  const Sizes& sizes;
  Cell at;
  const T* saved_at;
  T *dh, *dc_at, *deltas;

  __device__ Backward(const RnnShape& s, const RnnBackStep& io, const Sizes& sizes)
      : s(s),
        io(io),
        sizes(sizes),
        at(s, sizes.gates),
        saved_at(static_cast<const T*>(io.saved)),
        dh(static_cast<T*>(io.dh)),
        dc_at(static_cast<T*>(io.dc)),
        deltas(static_cast<T*>(io.deltas)) {}
  __device__ T saved(int k) const { return saved_at[at.in(sizes.saved, k)]; }
  __device__ void leave(int k, T d) const { deltas[at.in(sizes.deltas, k)] = d; }
  __device__ T h_before() const { return saved(sizes.h_before); }
  __device__ T dc() const { return dc_at[at.in(1, 0)]; }
  __device__ void put_dc(T d) const { dc_at[at.in(1, 0)] = d; }
  __device__ void put_rest(T d) const { dh[at.in(1, 0)] = d; }
  __device__ T gate_slope(T y) const { return slope(s.recurrent_activation, y); }
  __device__ bool masked() const { return io.mask && !io.mask[at.row * s.steps + io.time]; }
  __device__ T dy() const {
    return io.dy ? static_cast<const T*>(io.dy)[(at.row * s.steps + io.step) * at.units + at.unit] : T(0);
  }
  /// The gradient of h after the step: from later steps, from y, and from masked steps that repeated y.
  __device__ T take_dh() const {
    T d = dh[at.in(1, 0)] + dy();
    if (io.mask) {
      T& carried = static_cast<T*>(io.carried)[at.in(1, 0)];
      d += carried;
      carried = 0;
    }
    return d;
  }
};

template <class T>
__global__ void step_backward_kernel(RnnShape s, RnnBackStep io, Sizes sizes) {
  const Backward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  if (f.masked()) {  // states and output are those before, no gate has a gradient
    for (int k = 0; k < sizes.deltas; ++k) f.leave(k, T(0));
    static_cast<T*>(io.carried)[f.at.in(1, 0)] += f.dy();
    return;
  }
  cell_backward<T>(s.cell, f, f.take_dh());
}

template <class T>
__global__ void gates_backward_kernel(RnnShape s, RnnBackStep io, Sizes sizes) {
  const Backward<T> f(s, io, sizes);
  if (!f.at.exists || f.masked()) return;
  const T r = f.saved(1), d = static_cast<const T*>(io.dreset)[f.at.in(1, 0)];
  f.leave(1, d * f.h_before() * f.gate_slope(r));
  T& dh = f.dh[f.at.in(1, 0)];
  dh = fma(d, r, dh);
}

/// Launches the kernel of the dtype over rows and units.
template <class Step>
void over_cells(cudaStream_t stream, DType dtype, const RnnShape& s, const Step& step,
                void (*single)(RnnShape, Step, Sizes), void (*doubled)(RnnShape, Step, Sizes)) {
  launch(dtype == DType::F64 ? doubled : single, blocks_for(s.batch * s.units, kThreads), kThreads, 0, stream, s, step,
         sizes_of(s.cell));
}

}  // namespace

void rnn_gates_forward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnStep& step) {
  over_cells<RnnStep>(stream, dtype, shape, step, gates_forward_kernel<float>, gates_forward_kernel<double>);
}
void rnn_step_forward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnStep& step) {
  over_cells<RnnStep>(stream, dtype, shape, step, step_forward_kernel<float>, step_forward_kernel<double>);
}
void rnn_step_backward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnBackStep& step) {
  over_cells<RnnBackStep>(stream, dtype, shape, step, step_backward_kernel<float>, step_backward_kernel<double>);
}
void rnn_gates_backward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnBackStep& step) {
  over_cells<RnnBackStep>(stream, dtype, shape, step, gates_backward_kernel<float>, gates_backward_kernel<double>);
}

}  // namespace dlcore::cuda
