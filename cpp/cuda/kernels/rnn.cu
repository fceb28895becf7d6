#include "cuda/kernels/rnn.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/pointwise_math.cuh"
#include "kernels/rnn/rows.h"

namespace dlcore::cuda {

namespace {

constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;

template <class T>
__device__ T activate(RnnActivation activation, T x) {
  const T zero = 0, one = 1;
  const auto between = [](T v, T low, T high) { return v < low ? low : v > high ? high : v; };
  switch (activation) {
    case RnnActivation::Linear:
      return x;
    case RnnActivation::Relu:
      return dlcore_math::op_relu(x);
    case RnnActivation::Relu6:
      return between(x, zero, T(6));
    case RnnActivation::LeakyRelu:
      return x > zero ? x : x * T(0.2);
    case RnnActivation::Tanh:
      return tanh(x);
    case RnnActivation::HardTanh:
      return between(x, -one, one);
    case RnnActivation::Sigmoid:
      return dlcore_math::op_sigmoid(x);
    case RnnActivation::HardSigmoid:
      return between(x / T(6) + T(0.5), zero, one);
    case RnnActivation::Softplus:
      return dlcore_math::op_softplus(x);
    case RnnActivation::Softsign:
      return x / (fabs(x) + one);
    case RnnActivation::Elu:
      return x > zero ? x : expm1(x);
    case RnnActivation::Selu:
      return T(kSeluScale) * (x > zero ? x : T(kSeluAlpha) * expm1(x));
    case RnnActivation::Exponential:
      return exp(x);
  }
  return x;
}

/// f'(x) where y = f(x).
template <class T>
__device__ T slope(RnnActivation activation, T y) {
  const T zero = 0, one = 1;
  switch (activation) {
    case RnnActivation::Linear:
      return one;
    case RnnActivation::Relu:
      return y > zero ? one : zero;
    case RnnActivation::Relu6:
      return y > zero && y < T(6) ? one : zero;
    case RnnActivation::LeakyRelu:
      return y > zero ? one : T(0.2);
    case RnnActivation::Tanh:
      return one - y * y;
    case RnnActivation::HardTanh:
      return fabs(y) < one ? one : zero;
    case RnnActivation::Sigmoid:
      return y * (one - y);
    case RnnActivation::HardSigmoid:
      return y > zero && y < one ? one / T(6) : zero;
    case RnnActivation::Softplus:
      return one - exp(-y);
    case RnnActivation::Softsign:
      return (one - fabs(y)) * (one - fabs(y));
    case RnnActivation::Elu:
      return y > zero ? one : y + one;
    case RnnActivation::Selu:
      return y > zero ? T(kSeluScale) : y + T(kSeluScale * kSeluAlpha);
    case RnnActivation::Exponential:
      return y;
  }
  return one;
}

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
  T *h, *c, *saved, *y;

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
        saved(static_cast<T*>(io.saved)),
        y(static_cast<T*>(io.y)) {}
  __device__ T input(int gate) const {
    return z[((at.row * s.steps + io.time) * sizes.gates + gate) * at.units + at.unit] + b[gate * at.units + at.unit];
  }
  __device__ T recurrent(int gate) const { return zh[at.in(sizes.gates, gate)]; }
  __device__ T second_bias(int gate) const {
    return s.bias_rows == 2 ? b[(sizes.gates + gate) * at.units + at.unit] : T(0);
  }
  __device__ T sum(int gate) const { return input(gate) + recurrent(gate); }
  __device__ void save(int k, T v) const {
    if (saved) saved[at.in(sizes.saved, k)] = v;
  }
  __device__ T state(T x) const { return activate(s.activation, x); }
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
  const T h_before = f.h[f.at.in(1, 0)];
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
  const T h_before = f.h[f.at.in(1, 0)];
  if (s.cell != RnnCell::GruResetBefore) f.save(sizes.h_before, h_before);
  if (f.masked()) {  // the states stay and the output is repeated
    *f.output() = io.step > 0 ? *(f.output() - f.at.units) : T(0);
    return;
  }
  switch (s.cell) {
    case RnnCell::Lstm: {
      const T i = f.gate(f.sum(0)), g_f = f.gate(f.sum(1)), g = f.state(f.sum(2)), o = f.gate(f.sum(3));
      const T c_before = f.c[f.at.in(1, 0)], c = fma(g_f, c_before, i * g), squashed = f.state(c);
      f.save(0, i), f.save(1, g_f), f.save(2, g), f.save(3, o), f.save(4, c_before), f.save(5, squashed);
      f.c[f.at.in(1, 0)] = c;
      return f.put(o * squashed);
    }
    case RnnCell::GruResetAfter: {
      const T z = f.gate(f.input(0) + (f.recurrent(0) + f.second_bias(0)));
      const T r = f.gate(f.input(1) + (f.recurrent(1) + f.second_bias(1)));
      const T n_h = f.recurrent(2) + f.second_bias(2), n = f.state(fma(r, n_h, f.input(2)));
      f.save(0, z), f.save(1, r), f.save(2, n), f.save(3, n_h);
      return f.put(fma(z, h_before - n, n));
    }
    case RnnCell::GruResetBefore: {
      const T z = f.saved[f.at.in(sizes.saved, 0)], n = f.state(f.sum(2));
      f.save(2, n);
      return f.put(fma(z, h_before - n, n));
    }
    case RnnCell::Simple: {
      const T h = f.state(f.sum(0));
      f.save(0, h);
      return f.put(h);
    }
  }
}

template <class T>
struct Backward {
  const RnnShape& s;
  const RnnBackStep& io;
  const Sizes& sizes;
  Cell at;
  const T* saved_at;
  T *dh, *dc, *deltas;

  __device__ Backward(const RnnShape& s, const RnnBackStep& io, const Sizes& sizes)
      : s(s),
        io(io),
        sizes(sizes),
        at(s, sizes.gates),
        saved_at(static_cast<const T*>(io.saved)),
        dh(static_cast<T*>(io.dh)),
        dc(static_cast<T*>(io.dc)),
        deltas(static_cast<T*>(io.deltas)) {}
  __device__ T saved(int k) const { return saved_at[at.in(sizes.saved, k)]; }
  __device__ void leave(int k, T d) const { deltas[at.in(sizes.deltas, k)] = d; }
  __device__ T state_slope(T y) const { return slope(s.activation, y); }
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
  const T dh = f.take_dh();
  T& rest = f.dh[f.at.in(1, 0)];
  switch (s.cell) {
    case RnnCell::Lstm: {
      const T i = f.saved(0), g_f = f.saved(1), g = f.saved(2), o = f.saved(3), squashed = f.saved(5);
      T& dc_at = f.dc[f.at.in(1, 0)];
      const T dc = fma(dh * o, f.state_slope(squashed), dc_at);
      f.leave(0, dc * g * f.gate_slope(i));
      f.leave(1, dc * f.saved(4) * f.gate_slope(g_f));
      f.leave(2, dc * i * f.state_slope(g));
      f.leave(3, dh * squashed * f.gate_slope(o));
      dc_at = dc * g_f;
      rest = 0;
      return;
    }
    case RnnCell::GruResetAfter: {
      const T z = f.saved(0), r = f.saved(1), n = f.saved(2), n_h = f.saved(3), h_before = f.saved(sizes.h_before);
      const T dn = (dh - dh * z) * f.state_slope(n);
      f.leave(0, dh * (h_before - n) * f.gate_slope(z));
      f.leave(1, dn * n_h * f.gate_slope(r));
      f.leave(2, dn);
      f.leave(3, dn * r);
      rest = dh * z;
      return;
    }
    case RnnCell::GruResetBefore: {
      const T z = f.saved(0), n = f.saved(2), h_before = f.saved(sizes.h_before);
      f.leave(0, dh * (h_before - n) * f.gate_slope(z));
      f.leave(2, (dh - dh * z) * f.state_slope(n));
      rest = dh * z;
      return;
    }
    case RnnCell::Simple:
      f.leave(0, dh * f.state_slope(f.saved(0)));
      rest = 0;
      return;
  }
}

template <class T>
__global__ void gates_backward_kernel(RnnShape s, RnnBackStep io, Sizes sizes) {
  const Backward<T> f(s, io, sizes);
  if (!f.at.exists || f.masked()) return;
  const T r = f.saved(1), d = static_cast<const T*>(io.dreset)[f.at.in(1, 0)];
  f.leave(1, d * f.saved(sizes.h_before) * f.gate_slope(r));
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
