// Backward through time for a range of batch rows, each step in blocks of units. Only for *.simd.cpp.
// Each step leaves the gradients of the sums in its gates (deltas) behind, and the states that its weights multiplied;
// the gradients that do not flow through time are products of these (rnn.cpp).
#pragma once

#include "kernels/gemm/panels.simd.h"
#include "kernels/rnn/activation.simd.h"
#include "kernels/rnn/rows.h"
#include "kernels/rnn/units.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

/// `count` units of one batch row at one step. Saved vectors and deltas lie `units` apart.
template <class T>
struct BackwardRow {
  std::int64_t count, units;
  const T *saved, *h_before;
  const T* dy;      // null for zero
  T *dh, *dc;       // of the states after the step; replaced by what flows past the product into those before
  T* carried;       // dy of masked steps, whose output repeats this one's; null without a mask
  T *delta, *bias;  // this row's deltas, and their sum over rows and steps
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
// ---- the cells' arithmetic, one row at a time

template <class T, bool kUsual>
void lstm_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto saved = [&](int k) __attribute__((always_inline)) { return get(row.saved + k * units + j, span); };
        const auto leave = [&](int k, vec<T> d) __attribute__((always_inline)) { put_delta(row, k, j, d, span); };
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
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto saved = [&](int k) __attribute__((always_inline)) { return get(row.saved + k * units + j, span); };
        const vec<T> z = saved(0), r = saved(1), n = saved(2), n_h = saved(3);
        const vec<T> dh = take_dh(row, j, span);
        const vec<T> dz = dh * (get(row.h_before + j, span) - n) * act.gate_slope(z);
        const vec<T> dn = (dh - dh * z) * act.state_slope(n);
        const vec<T> dr = dn * n_h * act.gate_slope(r);
        put_delta(row, 0, j, dz, span);
        put_delta(row, 1, j, dr, span);
        put_delta(row, 2, j, dn, span);
        put_delta(row, 3, j, dn * r, span);
        put(row.dh + j, dh * z, span);
      });
}

/// First the update gate and the candidate; dn times w_h gives the gradient of r * h.
template <class T, bool kUsual>
void gru_reset_before_state_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = get(row.saved + j, span), n = get(row.saved + 2 * row.units + j, span);
        const vec<T> dh = take_dh(row, j, span);
        const vec<T> dz = dh * (get(row.h_before + j, span) - n) * act.gate_slope(z);
        const vec<T> dn = (dh - dh * z) * act.state_slope(n);
        put_delta(row, 0, j, dz, span);
        put_delta(row, 2, j, dn, span);
        put(row.dh + j, dh * z, span);
      });
}
/// Then the reset gate.
template <class T, bool kUsual>
void gru_reset_before_gate_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row, const T* dreset) {
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> r = get(row.saved + row.units + j, span), d = get(dreset + j, span);
        const vec<T> dr = d * get(row.h_before + j, span) * act.gate_slope(r);
        put_delta(row, 1, j, dr, span);
        put(row.dh + j, fma(d, r, get(row.dh + j, span)), span);
      });
}

template <class T, bool kUsual>
void simple_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> d = take_dh(row, j, span) * act.state_slope(get(row.saved + j, span));
        put_delta(row, 0, j, d, span);
        put(row.dh + j, vec<T>{}, span);
      });
}

// ---- all steps of a range of rows

/// Places of the packed transposes of w_h in its parts, in elements.
struct BackwardWeights {
  std::int64_t part[2], elements;
};
template <class T>
BackwardWeights backward_weights(const RnnShape& s) {
  const RecurrentParts parts = recurrent_parts(s.cell);
  BackwardWeights at{};
  at.part[1] = panel_elements<T>(parts.part[0].vectors * s.units, s.units);
  at.elements = at.part[1] + panel_elements<T>(parts.part[1].vectors * s.units, s.units);
  return at;
}

/// Units of a block: some panels.
template <class T>
std::int64_t backward_block(const RnnShape& s) {
  return rnn_by_units(s) ? kBlockPanels * kNr<T> : s.units;
}

/// Places in the scratch of the rows of one pass, in elements: each [rows, U].
struct BackwardScratch {
  std::int64_t dh, dc, carried;
  std::int64_t dreset;  // for GruResetBefore
  std::int64_t elements;
};
template <class T>
BackwardScratch backward_scratch(const RnnShape& s) {
  const std::int64_t state = rnn_pass_rows(s) * s.units;
  return {0, state, 2 * state, 3 * state, 4 * state};
}

template <class T, bool kUsual>
class BackwardPass {
 public:
  BackwardPass(const RnnShape& shape, const RnnBackward<T>& io, const T* packed, const RnnDeltas<T>& left,
               std::int64_t first, std::int64_t rows, T* scratch)
      : s_(shape),
        io_(io),
        left_(left),
        act_(shape),
        parts_(recurrent_parts(shape.cell)),
        weights_(backward_weights<T>(shape)),
        layout_(rnn_layout(shape.cell)),
        first_(first),
        rows_(rows),
        chunk_rows_(rnn_chunk_rows(shape)),
        block_units_(backward_block<T>(shape)),
        packed_(packed) {
    const BackwardScratch at = backward_scratch<T>(shape);
    dh_ = scratch + at.dh, dc_ = scratch + at.dc, carried_ = scratch + at.carried, dreset_ = scratch + at.dreset;
  }

  void run() {
    const std::int64_t state = rows_ * s_.units, at = first_ * s_.units;
    start(dh_, io_.dh_T);
    start(dc_, io_.dc_T);
    clear_row(carried_, state);
    for (std::int64_t row = 0; row < rows_; row += chunk_rows_) clear_row(bias_at(row), layout_.deltas * s_.units);
    run_steps();
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
  bool masked(std::int64_t row, std::int64_t step) const {
    return io_.mask && !io_.mask[(first_ + row) * s_.steps + time_of(step)];
  }
  const T* saved_at(std::int64_t step, std::int64_t row) const {
    return io_.workspace + (step * s_.batch + first_ + row) * layout_.saved * s_.units;
  }
  /// Where what is left of a step stands, as x does: [B,T].
  std::int64_t place(std::int64_t row, std::int64_t step) const { return (first_ + row) * s_.steps + time_of(step); }
  T* deltas_at(std::int64_t row, std::int64_t step) const {
    return left_.deltas + place(row, step) * rnn_delta_stride<T>(s_);
  }

  BackwardRow<T> row_at(std::int64_t row, std::int64_t step, Units of) const {
    const std::int64_t units = s_.units, at = row * units + of.first;
    const T* saved = saved_at(step, row) + of.first;
    return {of.count,
            units,
            saved,
            saved + layout_.h_before * units,
            io_.dy ? io_.dy + ((first_ + row) * s_.steps + step) * units + of.first : nullptr,
            dh_ + at,
            dc_ + at,
            io_.mask ? carried_ + at : nullptr,
            deltas_at(row, step) + of.first,
            bias_at(row) + of.first};
  }
  /// The sum of the deltas of the row's chunk.
  T* bias_at(std::int64_t row) const { return left_.db + row / chunk_rows_ * left_.db_stride; }

  /// All steps, and what flows back out of the first one. A GruResetBefore takes each in two: no reset gate has its
  /// gradient before all candidates have theirs.
  void run_steps() {
    if (s_.steps == 0) return;
    const std::int64_t parts = s_.cell == RnnCell::GruResetBefore ? 2 : 1;
    const double cost = product_cost(s_.steps * rows_, rnn_gates(s_.cell) * s_.units, s_.units);
    share_units(s_.steps * parts + 1, s_.units, block_units_, cost, [&](std::int64_t i, Units of) {
      const std::int64_t step = s_.steps - 1 - i / parts;
      if (step < 0) return flow_back(0, of);
      if (i % parts == 0)
        run_step(step, of);
      else
        reset_step(step, of);
    });
  }

  void run_step(std::int64_t step, Units of) {
    if (step + 1 < s_.steps) flow_back(step + 1, of);
    for (std::int64_t row = 0; row < rows_; ++row) {
      const BackwardRow<T> at = row_at(row, step, of);
      for (int i = 0; i < parts_.states; ++i)
        copy_row(left_.states[i] + place(row, step) * s_.units + of.first, at.saved + parts_.part[i].saved * s_.units,
                 of.count);
      if (masked(row, step))
        pass_by(at);
      else
        update(at);
    }
  }

  void reset_step(std::int64_t step, Units of) {
    multiply_recurrent(1, step, of, dreset_, false);
    for (std::int64_t row = 0; row < rows_; ++row)
      if (!masked(row, step))
        gru_reset_before_gate_back(act_, row_at(row, step, of), dreset_ + row * s_.units + of.first);
  }

  /// Adds to dh what all deltas of a step give to some units of the state before.
  void flow_back(std::int64_t step, Units of) const {
    if (s_.cell == RnnCell::GruResetAfter) multiply_recurrent(1, step, of, dh_, true);
    multiply_recurrent(0, step, of, dh_, true);
  }

  /// A masked step: states and output are those before, no gate has a gradient.
  void pass_by(const BackwardRow<T>& at) const {
    for (int k = 0; k < layout_.deltas; ++k) clear_row(at.delta + k * at.units, at.count);
    if (at.dy) add_row(at.carried, at.dy, at.count);
  }

  void update(const BackwardRow<T>& at) const {
    switch (s_.cell) {
      case RnnCell::Lstm:
        return lstm_row_back(act_, at);
      case RnnCell::GruResetAfter:
        return gru_reset_after_row_back(act_, at);
      case RnnCell::GruResetBefore:
        return gru_reset_before_state_back(act_, at);
      case RnnCell::Simple:
        return simple_row_back(act_, at);
    }
  }

  /// d (+)= deltas of a part times the transpose of its columns of w_h, for some units.
  void multiply_recurrent(int i, std::int64_t step, Units of, T* d, bool accumulate) const {
    const RecurrentPart& part = parts_.part[i];
    const std::int64_t k = part.vectors * s_.units;
    const T* const deltas = deltas_at(0, step) + part.from * s_.units;
    if (io_.steps) return io_.steps->multiply(i, first_, rows_, deltas, d, accumulate);
    const bool fetches = step > 0 && of.count == s_.units;  // what the step before in time has saved
    const Later<T> saved{fetches ? saved_at(step - 1, 0) : nullptr, rows_ * layout_.saved * s_.units};
    multiply(rows_, of.count, k, deltas, s_.steps * rnn_delta_stride<T>(s_), packed_ + weights_.part[i] + of.first * k,
             d + of.first, s_.units, accumulate, saved);
  }

  const RnnShape& s_;
  const RnnBackward<T>& io_;
  const RnnDeltas<T>& left_;
  Activations<T, kUsual> act_;
  RecurrentParts parts_;
  BackwardWeights weights_;
  RnnLayout layout_;
  std::int64_t first_, rows_, chunk_rows_, block_units_;
  const T* packed_;
  T *dh_, *dc_, *carried_, *dreset_;
};

// ---- rows of x that are in several places

template <class T>
void merge_deltas(const RnnShape& s, const std::int32_t* inverse, std::int64_t rows, T* deltas) {
  constexpr std::int64_t kColumns = 512 / sizeof(T);
  const std::int64_t pairs = s.batch * s.steps, cols = rnn_cols(s), stride = rnn_delta_stride<T>(s);
  const double cost = 0.1 * static_cast<double>(pairs * cols);
  parallel_for((cols + kColumns - 1) / kColumns, cost, [&](std::int64_t block) {
    T* const from = deltas + block * kColumns;
    const std::int64_t count = min_of(kColumns, cols - block * kColumns);
    std::int64_t found = 0;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      T* const sum = from + inverse[pair] * stride;
      if (inverse[pair] < found)
        add_row(sum, from + pair * stride, count);
      else if (found++ < pair)  // the number is that of a place before: its own deltas have been taken
        copy_row(sum, from + pair * stride, count);
    }
    for (; found < rows; ++found) clear_row(from + found * stride, count);
  });
}

}  // namespace dlcore::DLCORE_ISA
