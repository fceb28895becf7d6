// Forward through time for a range of batch rows. Only for *.simd.cpp.
#pragma once

#include "base/parallel.h"
#include "kernels/gemm/gemv.simd.h"
#include "kernels/gemm/panels.simd.h"
#include "kernels/rnn/activation.simd.h"
#include "kernels/rnn/rows.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

/// Where one batch row stands at one step. U elements per vector; gates lie U apart.
template <class T>
struct ForwardRow {
  std::int64_t units;
  const T *z, *zh;  // sums in the gates: z of input and h, or of the input alone where zh is that of h
  const T* bias;
  T *h, *c;  // states, updated
  T* saved;  // for the backward pass
  T* y;
};

// ---- the cells' arithmetic, one row at a time

template <class T, bool kUsual>
void lstm_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto sum = [&](int gate) __attribute__((always_inline)) {
          return get(row.z + gate * units + j, span) + get(row.bias + gate * units + j, span);
        };
        const auto save = [&](int k, vec<T> v) __attribute__((always_inline)) {
          put(row.saved + k * units + j, v, span);
        };
        const vec<T> i = act.gate(sum(0)), f = act.gate(sum(1)), g = act.state(sum(2)), o = act.gate(sum(3));
        const vec<T> c_before = get(row.c + j, span);
        const vec<T> c = fma(f, c_before, i * g);
        const vec<T> squashed = act.state(c);
        const vec<T> h = o * squashed;
        save(0, i), save(1, f), save(2, g), save(3, o), save(4, c_before), save(5, squashed),
            save(6, get(row.h + j, span));
        put(row.c + j, c, span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

/// second_bias: of the recurrent sums, null for none.
template <class T, bool kUsual>
void gru_reset_after_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row, const T* second_bias) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto input = [&](int gate) __attribute__((always_inline)) {
          return get(row.z + gate * units + j, span) + get(row.bias + gate * units + j, span);
        };
        const auto recurrent = [&](int gate) __attribute__((always_inline)) {
          const vec<T> sum = get(row.zh + gate * units + j, span);
          return second_bias ? sum + get(second_bias + gate * units + j, span) : sum;
        };
        const auto save = [&](int k, vec<T> v) __attribute__((always_inline)) {
          put(row.saved + k * units + j, v, span);
        };
        const vec<T> z = act.gate(input(0) + recurrent(0)), r = act.gate(input(1) + recurrent(1));
        const vec<T> n_h = recurrent(2), n = act.state(fma(r, n_h, input(2)));
        const vec<T> h_before = get(row.h + j, span), h = fma(z, h_before - n, n);
        save(0, z), save(1, r), save(2, n), save(3, n_h), save(4, h_before);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

/// The two gates; reset[U] = r * h.
template <class T, bool kUsual>
void gru_reset_before_gates(const Activations<T, kUsual>& act, const ForwardRow<T>& row, T* reset) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = act.gate(get(row.z + j, span) + get(row.bias + j, span));
        const vec<T> r = act.gate(get(row.z + units + j, span) + get(row.bias + units + j, span));
        put(row.saved + j, z, span);
        put(row.saved + units + j, r, span);
        const vec<T> h_before = get(row.h + j, span), rh = r * h_before;
        put(row.saved + 3 * units + j, h_before, span);
        put(row.saved + 4 * units + j, rh, span);
        put(reset + j, rh, span);
      });
}
template <class T, bool kUsual>
void gru_reset_before_state(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = get(row.saved + j, span);
        const vec<T> n = act.state(get(row.z + 2 * units + j, span) + get(row.bias + 2 * units + j, span));
        const vec<T> h = fma(z, get(row.h + j, span) - n, n);
        put(row.saved + 2 * units + j, n, span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

template <class T, bool kUsual>
void simple_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  for_vectors<T>(
      row.units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> h = act.state(get(row.z + j, span) + get(row.bias + j, span));
        put(row.saved + j, h, span);
        put(row.saved + row.units + j, get(row.h + j, span), span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

// ---- all steps of a range of rows

/// Whether the weights are read where they are: with one row, packing them would take longer than all else. Register
/// tiles read whole vectors, or parts of them where that costs nothing.
template <class T>
bool reads_weights_in_place(const RnnShape& s) {
  return s.batch == 1 && (kMaskedLoads || rnn_gates(s.cell) * s.units % kLanes<T> == 0);
}

/// Places of the packed weights, in elements: w_x, then w_h (GruResetBefore: its columns of z and r, then those of n;
/// with a batch of one row none of it).
struct ForwardWeights {
  std::int64_t w_x, w_h, w_n, elements;
};
template <class T>
ForwardWeights forward_weights(const RnnShape& s) {
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units;
  const bool apart = s.cell == RnnCell::GruResetBefore;
  const std::int64_t w_h = reads_weights_in_place<T>(s) ? 0 : panel_elements<T>(s.channels, cols);
  if (s.batch == 1) return {0, w_h, w_h, w_h};
  const std::int64_t w_n = w_h + panel_elements<T>(units, apart ? 2 * units : cols);
  return {0, w_h, w_n, w_n + (apart ? panel_elements<T>(units, units) : 0)};
}

/// Places in the scratch of one chunk of rows, in elements.
struct ForwardScratch {
  std::int64_t block;  // steps whose inputs are projected together
  std::int64_t z;      // [block, rows, G*U]: their products
  std::int64_t zh;     // [rows, 3*U]: those of h, or [rows, U]: r * h
  std::int64_t h, c;   // [rows, U]
  std::int64_t saved;  // [rows, saved*U]: one step's, where there is no workspace
  std::int64_t elements;
};
DLCORE_INLINE ForwardScratch forward_scratch(const RnnShape& s) {
  const std::int64_t rows = rnn_chunk_rows(s.batch), state = rows * s.units;
  const std::int64_t block = max_of<std::int64_t>(1, min_of(s.steps, kBlockRows / rows));
  const std::int64_t zh = block * rnn_gates(s.cell) * state;
  const std::int64_t h = zh + (s.cell == RnnCell::GruResetAfter ? 3 * state : state);
  const std::int64_t saved = h + 2 * state;
  return {block, 0, zh, h, h + state, saved, saved + rnn_layout(s.cell).saved * state};
}

template <class T, bool kUsual>
class ForwardPass {
 public:
  ForwardPass(const RnnShape& shape, const RnnForward<T>& io, const T* packed, std::int64_t first, std::int64_t rows,
              T* scratch)
      : s_(shape), io_(io), act_(shape), first_(first), rows_(rows), cols_(rnn_gates(shape.cell) * shape.units) {
    const ForwardWeights weights = forward_weights<T>(shape);
    w_x_ = packed + weights.w_x, w_h_ = packed + weights.w_h, w_n_ = packed + weights.w_n;
    const ForwardScratch at = forward_scratch(shape);
    block_ = at.block, z_ = scratch + at.z, zh_ = scratch + at.zh, h_ = scratch + at.h, c_ = scratch + at.c;
    saved_ = scratch + at.saved;
  }

  void run() {
    const std::int64_t state = rows_ * s_.units, at = first_ * s_.units;
    copy_row(h_, io_.h0 + at, state);
    if (io_.c0) copy_row(c_, io_.c0 + at, state);
    for (std::int64_t from = 0; from < s_.steps; from += block_) {
      const std::int64_t to = min_of(from + block_, s_.steps);
      project(from, to);
      for (std::int64_t step = from; step < to; ++step) run_step(step, z_ + (step - from) * rows_ * cols_);
    }
    copy_row(io_.h_T + at, h_, state);
    if (io_.c_T) copy_row(io_.c_T + at, c_, state);
  }

 private:
  std::int64_t time_of(std::int64_t step) const { return s_.reverse ? s_.steps - 1 - step : step; }
  bool masked(std::int64_t row, std::int64_t time) const {
    return io_.mask && !io_.mask[(first_ + row) * s_.steps + time];
  }
  const T* input_at(std::int64_t row, std::int64_t step) const {
    return io_.x + ((first_ + row) * s_.steps + time_of(step)) * s_.channels;
  }
  /// z = x_t w_x for steps [from, to): a panel of the weights serves all of them, the rows of each step or, where they
  /// are more, the steps of each row. Where no other rows occupy the threads, they share the panels.
  void project(std::int64_t from, std::int64_t to) {
    const std::int64_t panels = (cols_ + kNr<T> - 1) / kNr<T>;
    const double flops = 2.0 * static_cast<double>((to - from) * rows_ * s_.channels * cols_);
    constexpr double kFlopsPerNs = 50;
    parallel_for(panels, flops / kFlopsPerNs, [&](std::int64_t panel) { project_panel(from, to, panel * kNr<T>); });
  }

  void project_panel(std::int64_t from, std::int64_t to, std::int64_t j) {
    const std::int64_t k = s_.channels, steps = to - from, ahead = s_.reverse ? -k : k;
    const int width = static_cast<int>(min_of<std::int64_t>(kNr<T>, cols_ - j));
    const bool in_place = reads_weights_in_place<T>(s_);
    const T* const panel = in_place ? io_.w_x + j : w_x_ + j * k;
    const std::int64_t ld = in_place ? cols_ : kNr<T>;
    if (rows_ >= steps)
      for (std::int64_t step = 0; step < steps; ++step)
        multiply_panel(rows_, width, k, input_at(0, from + step), s_.steps * k, panel, ld,
                       z_ + step * rows_ * cols_ + j, cols_, false);
    else
      for (std::int64_t row = 0; row < rows_; ++row)
        multiply_panel(steps, width, k, input_at(row, from), ahead, panel, ld, z_ + row * cols_ + j, rows_ * cols_,
                       false);
  }

  /// z (+)= a w_h[:, columns]. A single row reads the weights where they are, every other step from the last columns to
  /// the first: those are still in the nearest cache.
  void recur(std::int64_t step, const T* a, const T* panels, std::int64_t first_column, std::int64_t columns, T* z,
             std::int64_t ldz, bool accumulate) {
    if (s_.batch > 1) return multiply(rows_, columns, s_.units, a, s_.units, panels, z, ldz, accumulate);
    constexpr std::int64_t kWidth = kGemvVectors * kLanes<T>;
    const std::int64_t count = (columns + kWidth - 1) / kWidth;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t j = (step % 2 ? count - 1 - i : i) * kWidth;
      gemv(s_.units, a, std::int64_t{1}, io_.w_h + first_column + j, cols_, z + j, min_of(kWidth, columns - j),
           accumulate);
    }
  }

  ForwardRow<T> row_at(std::int64_t row, std::int64_t step, const T* z) const {
    const std::int64_t units = s_.units, saved = rnn_layout(s_.cell).saved * units;
    return {units,
            z + row * cols_,
            zh_ + row * cols_,
            io_.b,
            h_ + row * units,
            c_ + row * units,
            io_.workspace ? io_.workspace + (step * s_.batch + first_ + row) * saved : saved_ + row * saved,
            io_.y + ((first_ + row) * s_.steps + step) * units};
  }

  void run_step(std::int64_t step, T* z) {
    const std::int64_t time = time_of(step);
    if (s_.cell == RnnCell::GruResetAfter)
      recur(step, h_, w_h_, 0, cols_, zh_, cols_, false);
    else if (s_.cell == RnnCell::GruResetBefore)
      reset_before(step, z);
    else
      recur(step, h_, w_h_, 0, cols_, z, cols_, true);

    for (std::int64_t row = 0; row < rows_; ++row) {
      const ForwardRow<T> at = row_at(row, step, z);
      if (masked(row, time))
        pass_by(at, step);
      else
        update(at);
    }
  }

  /// The gates and the sums of the candidate.
  void reset_before(std::int64_t step, T* z) {
    const std::int64_t units = s_.units;
    recur(step, h_, w_h_, 0, 2 * units, z, cols_, true);
    for (std::int64_t row = 0; row < rows_; ++row)
      gru_reset_before_gates(act_, row_at(row, step, z), zh_ + row * units);
    recur(step, zh_, w_n_, 2 * units, units, z + 2 * units, cols_, true);
  }

  void update(const ForwardRow<T>& row) {
    switch (s_.cell) {
      case RnnCell::Lstm:
        return lstm_row(act_, row);
      case RnnCell::GruResetAfter:
        return gru_reset_after_row(act_, row, s_.bias_rows == 2 ? io_.b + cols_ : nullptr);
      case RnnCell::GruResetBefore:
        return gru_reset_before_state(act_, row);
      case RnnCell::Simple:
        return simple_row(act_, row);
    }
  }

  /// A masked step: the states stay and the output is repeated. Its gradients are zero, but h meets them in a product.
  void pass_by(const ForwardRow<T>& row, std::int64_t step) const {
    const std::int64_t units = s_.units;
    copy_row(row.saved + rnn_layout(s_.cell).h_before * units, row.h, units);
    if (step > 0)
      copy_row(row.y, row.y - units, units);
    else
      clear_row(row.y, units);
  }

  const RnnShape& s_;
  const RnnForward<T>& io_;
  Activations<T, kUsual> act_;
  std::int64_t first_, rows_, cols_, block_;
  const T *w_x_, *w_h_, *w_n_;
  T *z_, *zh_, *h_, *c_, *saved_;
};

}  // namespace dlcore::DLCORE_ISA
