// Backward through time for a range of batch rows. Only for *.simd.cpp.
// The products over all steps (dw_x, dw_h, dx) are left to the caller: the rows leave the gradients of the sums in the
// gates behind (RnnDeltas).
#pragma once

#include "kernels/rnn/activation.simd.h"
#include "kernels/rnn/panels.simd.h"
#include "kernels/rnn/rows.h"

namespace dlcore::DLCORE_ISA {

/// One batch row at one step. U elements per vector.
template <class T>
struct BackwardRow {
  std::int64_t units;
  const T *saved, *h_before;
  const T* dy;      // null for zero
  T *dh, *dc;       // of the states after the step; replaced by what flows past the product into those before
  T* carried;       // dy of masked steps, whose output repeats this one's; null without a mask
  T *delta, *bias;  // rows of RnnDeltas
  T* local;         // row of the product that gives dh
};

/// The gradient of h after the step: from later steps, from y, and from masked steps that repeated y.
template <class T, class Span>
DLCORE_INLINE vec<T> take_dh(const BackwardRow<T>& row, std::int64_t j, Span span) {
  vec<T> dh = get(row.dh + j, span);
  if (row.dy) dh += get(row.dy + j, span);
  if (row.carried) {
    dh += get(row.carried + j, span);
    put(row.carried + j, vec<T>{}, span);
  }
  return dh;
}

/// Leaves the gradient of vector k behind.
template <class T, class Span>
DLCORE_INLINE void put_delta(const BackwardRow<T>& row, int k, std::int64_t j, vec<T> d, Span span) {
  const std::int64_t at = k * row.units + j;
  put(row.delta + at, d, span);
  put(row.bias + at, get(row.bias + at, span) + d, span);
}
template <class T, class Span>
DLCORE_INLINE void put_local(const BackwardRow<T>& row, int k, std::int64_t j, vec<T> d, Span span) {
  put(row.local + k * row.units + j, d, span);
}

// ---- the cells' arithmetic, one row at a time

template <class T, bool kUsual>
void lstm_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_units<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto saved = [&](int k) __attribute__((always_inline)) { return get(row.saved + k * units + j, span); };
        const auto leave = [&](int k, vec<T> d) __attribute__((always_inline)) {
          put_delta(row, k, j, d, span);
          put_local(row, k, j, d, span);
        };
        const vec<T> i = saved(0), f = saved(1), g = saved(2), o = saved(3), squashed = saved(5);
        const vec<T> dh = take_dh(row, j, span);
        const vec<T> dc = fma(dh * o, act.state_slope(squashed), get(row.dc + j, span));
        leave(0, dc * g * act.gate_slope(i));
        leave(1, dc * saved(4) * act.gate_slope(f));
        leave(2, dc * i * act.state_slope(g));
        leave(3, dh * squashed * act.gate_slope(o));
        put(row.dc + j, dc * f, span);
        put(row.dh + j, vec<T>{}, span);
      });
}

template <class T, bool kUsual>
void gru_reset_after_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_units<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto saved = [&](int k) __attribute__((always_inline)) { return get(row.saved + k * units + j, span); };
        const vec<T> z = saved(0), r = saved(1), n = saved(2), n_h = saved(3);
        const vec<T> dh = take_dh(row, j, span);
        const vec<T> dz = dh * (get(row.h_before + j, span) - n) * act.gate_slope(z);
        const vec<T> dn = (dh - dh * z) * act.state_slope(n);
        const vec<T> dr = dn * n_h * act.gate_slope(r);
        const vec<T> dn_h = dn * r;
        put_delta(row, 0, j, dz, span), put_local(row, 0, j, dz, span);
        put_delta(row, 1, j, dr, span), put_local(row, 1, j, dr, span);
        put_delta(row, 2, j, dn, span);
        put_delta(row, 3, j, dn_h, span), put_local(row, 2, j, dn_h, span);
        put(row.dh + j, dh * z, span);
      });
}

/// First the update gate and the candidate; `dreset` receives the product that gives the gradient of r * h.
template <class T, bool kUsual>
void gru_reset_before_state_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row, T* local_n) {
  const std::int64_t units = row.units;
  for_units<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = get(row.saved + j, span), n = get(row.saved + 2 * units + j, span);
        const vec<T> dh = take_dh(row, j, span);
        const vec<T> dz = dh * (get(row.h_before + j, span) - n) * act.gate_slope(z);
        const vec<T> dn = (dh - dh * z) * act.state_slope(n);
        put_delta(row, 0, j, dz, span), put_local(row, 0, j, dz, span);
        put_delta(row, 2, j, dn, span), put(local_n + j, dn, span);
        put(row.dh + j, dh * z, span);
      });
}
/// Then the reset gate.
template <class T, bool kUsual>
void gru_reset_before_gate_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row, const T* dreset) {
  const std::int64_t units = row.units;
  for_units<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> r = get(row.saved + units + j, span), d = get(dreset + j, span);
        const vec<T> dr = d * get(row.h_before + j, span) * act.gate_slope(r);
        put_delta(row, 1, j, dr, span), put_local(row, 1, j, dr, span);
        put(row.dh + j, fma(d, r, get(row.dh + j, span)), span);
      });
}

template <class T, bool kUsual>
void simple_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  for_units<T>(
      row.units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> d = take_dh(row, j, span) * act.state_slope(get(row.saved + j, span));
        put_delta(row, 0, j, d, span), put_local(row, 0, j, d, span);
        put(row.dh + j, vec<T>{}, span);
      });
}

// ---- all steps of a range of rows

/// Places of the packed transposes of w_h, in elements (GruResetBefore: its columns of z and r, then those of n).
struct BackwardWeights {
  std::int64_t w_h, w_n, elements;
  std::int64_t products;  // vectors of U that w_h is multiplied by
};
template <class T>
BackwardWeights backward_weights(const RnnShape& s) {
  const bool apart = s.cell == RnnCell::GruResetBefore;
  const std::int64_t products = apart ? 2 : rnn_gates(s.cell);
  const std::int64_t w_n = panel_elements<T>(products * s.units, s.units);
  return {0, w_n, w_n + (apart ? panel_elements<T>(s.units, s.units) : 0), products};
}

/// Places in the scratch of one chunk of rows, in elements.
struct BackwardScratch {
  std::int64_t local;            // [rows, products*U]
  std::int64_t dh, dc, carried;  // [rows, U]
  std::int64_t local_n, dreset;  // [rows, U], for GruResetBefore
  std::int64_t elements;
};
DLCORE_INLINE BackwardScratch backward_scratch(const RnnShape& s) {
  const std::int64_t state = s.chunk_rows * s.units, dh = rnn_gates(s.cell) * state;
  return {0, dh, dh + state, dh + 2 * state, dh + 3 * state, dh + 4 * state, dh + 5 * state};
}

template <class T, bool kUsual>
class BackwardPass {
 public:
  BackwardPass(const RnnShape& shape, const RnnBackward<T>& io, const T* packed, const RnnDeltas<T>& deltas,
               std::int64_t first, std::int64_t rows, T* scratch)
      : s_(shape), io_(io), deltas_(deltas), act_(shape), first_(first), rows_(rows) {
    const BackwardWeights weights = backward_weights<T>(shape);
    w_h_ = packed + weights.w_h, w_n_ = packed + weights.w_n, products_ = weights.products;
    const BackwardScratch at = backward_scratch(shape);
    local_ = scratch + at.local, dh_ = scratch + at.dh, dc_ = scratch + at.dc, carried_ = scratch + at.carried;
    local_n_ = scratch + at.local_n, dreset_ = scratch + at.dreset;
  }

  void run() {
    const std::int64_t state = rows_ * s_.units, at = first_ * s_.units;
    const std::int64_t width = rnn_layout(s_.cell).deltas * s_.units;
    start(dh_, io_.dh_T);
    start(dc_, io_.dc_T);
    clear_row(carried_, state);
    clear_row(deltas_.bias + first_ * width, rows_ * width);
    for (std::int64_t step = s_.steps - 1; step >= 0; --step) run_step(step);
    copy_row(io_.dh0 + at, dh_, state);
    if (io_.dc0) copy_row(io_.dc0 + at, dc_, state);
  }

 private:
  void start(T* d, const T* d_T) const {
    if (d_T)
      copy_row(d, d_T + first_ * s_.units, rows_ * s_.units);
    else
      clear_row(d, rows_ * s_.units);
  }

  std::int64_t time_of(std::int64_t step) const { return s_.reverse ? s_.steps - 1 - step : step; }
  bool masked(std::int64_t row, std::int64_t time) const {
    return io_.mask && !io_.mask[(first_ + row) * s_.steps + time];
  }

  BackwardRow<T> row_at(std::int64_t row, std::int64_t step) const {
    const std::int64_t units = s_.units, b = first_ + row, time = time_of(step);
    const RnnLayout layout = rnn_layout(s_.cell);
    const T* h_before = io_.workspace + s_.steps * s_.batch * layout.saved * units;
    return {units,
            io_.workspace + (step * s_.batch + b) * layout.saved * units,
            h_before + (b * s_.steps + time) * units,
            io_.dy ? io_.dy + (b * s_.steps + step) * units : nullptr,
            dh_ + row * units,
            dc_ + row * units,
            io_.mask ? carried_ + row * units : nullptr,
            deltas_.all + (b * s_.steps + time) * layout.deltas * units,
            deltas_.bias + b * layout.deltas * units,
            local_ + row * products_ * units};
  }

  void run_step(std::int64_t step) {
    const std::int64_t time = time_of(step), units = s_.units, k = products_ * units;
    for (std::int64_t row = 0; row < rows_; ++row) {
      const BackwardRow<T> at = row_at(row, step);
      if (masked(row, time))
        pass_by(at, row);
      else
        update(at, row);
    }
    if (s_.cell == RnnCell::GruResetBefore) reset_before(step);
    multiply(rows_, units, k, local_, k, w_h_, dh_, units, true);
  }

  /// A masked step: states and output are those before, no gate has a gradient.
  void pass_by(const BackwardRow<T>& at, std::int64_t row) const {
    const std::int64_t units = s_.units;
    clear_row(at.delta, rnn_layout(s_.cell).deltas * units);
    clear_row(at.local, products_ * units);
    if (s_.cell == RnnCell::GruResetBefore) clear_row(local_n_ + row * units, units);
    if (at.dy) add_row(at.carried, at.dy, units);
  }

  void update(const BackwardRow<T>& at, std::int64_t row) {
    switch (s_.cell) {
      case RnnCell::Lstm:
        return lstm_row_back(act_, at);
      case RnnCell::GruResetAfter:
        return gru_reset_after_row_back(act_, at);
      case RnnCell::GruResetBefore:
        return gru_reset_before_state_back(act_, at, local_n_ + row * s_.units);
      case RnnCell::Simple:
        return simple_row_back(act_, at);
    }
  }

  void reset_before(std::int64_t step) {
    const std::int64_t units = s_.units;
    multiply(rows_, units, units, local_n_, units, w_n_, dreset_, units, false);
    for (std::int64_t row = 0; row < rows_; ++row)
      if (!masked(row, time_of(step))) gru_reset_before_gate_back(act_, row_at(row, step), dreset_ + row * units);
  }

  const RnnShape& s_;
  const RnnBackward<T>& io_;
  const RnnDeltas<T>& deltas_;
  Activations<T, kUsual> act_;
  std::int64_t first_, rows_, products_;
  const T *w_h_, *w_n_;
  T *local_, *dh_, *dc_, *carried_, *local_n_, *dreset_;
};

}  // namespace dlcore::DLCORE_ISA
