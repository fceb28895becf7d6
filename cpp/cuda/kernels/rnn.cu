#include "cuda/kernels/rnn.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/rnn_cells.cuh"

namespace dlcore::cuda {

namespace {

/// A row and a unit, and the columns of the arrays that are theirs.
struct Place {
  std::int64_t row, unit, units;
  bool exists;
  __device__ explicit Place(const RnnShape& s) : units(s.units) {
    const std::int64_t i = thread_index();
    row = i / units;
    unit = i % units;
    exists = row < s.batch;
  }
  /// In [B, vectors*U].
  __device__ std::int64_t in(std::int64_t vectors, std::int64_t k) const { return (row * vectors + k) * units + unit; }
};

/// Typed views of a step.
template <class T>
struct Forward {
  const RnnShape& s;
  const RnnStep& io;
  const RnnSizes& sizes;
  Place at;
  const T *z, *zh, *b;
  T *h, *saved, *y;

  __device__ Forward(const RnnShape& s, const RnnStep& io, const RnnSizes& sizes)
      : s(s),
        io(io),
        sizes(sizes),
        at(s),
        z(static_cast<const T*>(io.z)),
        zh(static_cast<const T*>(io.zh)),
        b(static_cast<const T*>(io.b)),
        h(static_cast<T*>(io.h)),
        saved(static_cast<T*>(io.saved)),
        y(static_cast<T*>(io.y)) {}
  __device__ T input(int gate) const {
    return z[((at.row * s.steps + io.time) * sizes.gates + gate) * at.units + at.unit] + b[gate * at.units + at.unit];
  }
  __device__ T recurrent(int gate) const {
    const T product = zh[at.in(sizes.gates, gate)];
    return s.bias_rows == 2 ? product + b[(sizes.gates + gate) * at.units + at.unit] : product;
  }
  __device__ T gate(int k) const { return gate_value(s, sizes.cell, k, input(k), recurrent(k)); }
  __device__ void save(int k, T v) const {
    if (saved) saved[at.in(sizes.saved, k)] = v;
  }
  __device__ bool masked() const { return io.mask && !io.mask[at.row * s.steps + io.time]; }
  __device__ T* output() const { return y + (at.row * s.steps + io.step) * at.units + at.unit; }
};

template <class T>
__global__ void gates_forward_kernel(RnnShape s, RnnStep io, RnnSizes sizes) {
  const Forward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  const T h_before = f.h[f.at.in(1, 0)], gates[] = {f.gate(0), f.gate(1)};
  f.save(sizes.h_before, h_before);
  static_cast<T*>(io.reset)[f.at.in(1, 0)] = reset_forward(sizes, gates, h_before, [&](int k, T v) { f.save(k, v); });
}

template <class T>
__global__ void step_forward_kernel(RnnShape s, RnnStep io, RnnSizes sizes) {
  const Forward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  const std::int64_t state = f.at.in(1, 0);
  const bool before = sizes.cell == RnnCell::GruResetBefore, lstm = sizes.cell == RnnCell::Lstm;
  const T h_before = f.h[state];
  if (!before) f.save(sizes.h_before, h_before);
  if (f.masked()) {  // the states stay and the output is repeated
    *f.output() = io.step > 0 ? *(f.output() - f.at.units) : T(0);
    return;
  }
  T gates[4];
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (before && k == 0)
      gates[k] = f.saved[f.at.in(sizes.saved, 0)];
    else if (k < sizes.gates && !(before && k == 1))
      gates[k] = f.gate(k);
  if (sizes.cell == RnnCell::GruResetAfter) gates[3] = f.input(2);
  T* c_at = static_cast<T*>(io.c) + state;
  T c = lstm ? *c_at : T(0);
  const T h = step_forward(s, sizes, gates, h_before, c, [&](int k, T v) { f.save(k, v); });
  if (lstm) *c_at = c;
  f.h[state] = h;
  *f.output() = h;
}

template <class T>
struct Backward {
  const RnnShape& s;
  const RnnBackStep& io;
  const RnnSizes& sizes;
  Place at;

  __device__ Backward(const RnnShape& s, const RnnBackStep& io, const RnnSizes& sizes)
      : s(s), io(io), sizes(sizes), at(s) {}
  __device__ T saved(int k) const { return static_cast<const T*>(io.saved)[at.in(sizes.saved, k)]; }
  __device__ void leave(int k, T d) const { static_cast<T*>(io.deltas)[at.in(sizes.deltas, k)] = d; }
  __device__ T& state(void* of) const { return static_cast<T*>(of)[at.in(1, 0)]; }
  __device__ bool masked() const { return io.mask && !io.mask[at.row * s.steps + io.time]; }
  __device__ T dy() const {
    return io.dy ? static_cast<const T*>(io.dy)[(at.row * s.steps + io.step) * at.units + at.unit] : T(0);
  }
  /// The gradient of h after the step: from later steps, from y, and from masked steps that repeated y.
  __device__ T take_dh() const {
    T d = state(io.dh) + dy();
    if (io.mask) {
      d += state(io.carried);
      state(io.carried) = 0;
    }
    return d;
  }
};

template <class T>
__global__ void step_backward_kernel(RnnShape s, RnnBackStep io, RnnSizes sizes) {
  const Backward<T> f(s, io, sizes);
  if (!f.at.exists) return;
  if (f.masked()) {  // states and output are those before, no gate has a gradient
    for (int k = 0; k < sizes.deltas; ++k) f.leave(k, T(0));
    f.state(io.carried) += f.dy();
    return;
  }
  const bool lstm = sizes.cell == RnnCell::Lstm;
  T dc = lstm ? f.state(io.dc) : T(0);
  f.state(io.dh) = step_backward(
      s, sizes, [&](int k) { return f.saved(k); }, f.take_dh(), dc, [&](int k, T d) { f.leave(k, d); });
  if (lstm) f.state(io.dc) = dc;
}

template <class T>
__global__ void gates_backward_kernel(RnnShape s, RnnBackStep io, RnnSizes sizes) {
  const Backward<T> f(s, io, sizes);
  if (!f.at.exists || f.masked()) return;
  T& dh = f.state(io.dh);
  dh = reset_backward(
      s, sizes, [&](int k) { return f.saved(k); }, static_cast<const T*>(io.dreset)[f.at.in(1, 0)], dh,
      [&](int k, T d) { f.leave(k, d); });
}

/// Launches the kernel of the dtype over rows and units.
template <class Step>
void over_cells(cudaStream_t stream, DType dtype, const RnnShape& s, const Step& step,
                void (*single)(RnnShape, Step, RnnSizes), void (*doubled)(RnnShape, Step, RnnSizes)) {
  launch(dtype == DType::F64 ? doubled : single, blocks_for(s.batch * s.units, kThreads), kThreads, 0, stream, s, step,
         rnn_sizes(s.cell));
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
