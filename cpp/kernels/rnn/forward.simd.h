// Forward through time for a range of batch rows, each step in blocks of units. Only for *.simd.cpp.
#pragma once

#include "kernels/gemm/gemv.simd.h"
#include "kernels/gemm/panels.simd.h"
#include "kernels/rnn/activation.simd.h"
#include "kernels/rnn/rows.h"
#include "kernels/rnn/units.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

/// Where `count` units of one batch row stand at one step. Gates, and vectors that are saved, lie `units` apart.
template <class T>
struct ForwardRow {
  std::int64_t count, units;
  const T *z, *zh;              // sums in the gates: z of input and h, or of the input alone where zh is that of h
  const T *bias, *second_bias;  // the second is that of zh, null for none
  const T* h_before;
  T* h;      // after the step
  T* c;      // updated
  T* saved;  // for the backward pass
  T* y;
};

// ---- the cells' arithmetic, one row at a time

template <class T, bool kUsual>
void lstm_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
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
            save(6, get(row.h_before + j, span));
        put(row.c + j, c, span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

template <class T, bool kUsual>
void gru_reset_after_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const auto input = [&](int gate) __attribute__((always_inline)) {
          return get(row.z + gate * units + j, span) + get(row.bias + gate * units + j, span);
        };
        const auto recurrent = [&](int gate) __attribute__((always_inline)) {
          const vec<T> sum = get(row.zh + gate * units + j, span);
          return row.second_bias ? sum + get(row.second_bias + gate * units + j, span) : sum;
        };
        const auto save = [&](int k, vec<T> v) __attribute__((always_inline)) {
          put(row.saved + k * units + j, v, span);
        };
        const vec<T> z = act.gate(input(0) + recurrent(0)), r = act.gate(input(1) + recurrent(1));
        const vec<T> n_h = recurrent(2), n = act.state(fma(r, n_h, input(2)));
        const vec<T> h_before = get(row.h_before + j, span), h = fma(z, h_before - n, n);
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
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = act.gate(get(row.z + j, span) + get(row.bias + j, span));
        const vec<T> r = act.gate(get(row.z + units + j, span) + get(row.bias + units + j, span));
        put(row.saved + j, z, span);
        put(row.saved + units + j, r, span);
        const vec<T> h_before = get(row.h_before + j, span), rh = r * h_before;
        put(row.saved + 3 * units + j, h_before, span);
        put(row.saved + 4 * units + j, rh, span);
        put(reset + j, rh, span);
      });
}
template <class T, bool kUsual>
void gru_reset_before_state(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  const std::int64_t units = row.units;
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = get(row.saved + j, span);
        const vec<T> n = act.state(get(row.z + 2 * units + j, span) + get(row.bias + 2 * units + j, span));
        const vec<T> h = fma(z, get(row.h_before + j, span) - n, n);
        put(row.saved + 2 * units + j, n, span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

template <class T, bool kUsual>
void simple_row(const Activations<T, kUsual>& act, const ForwardRow<T>& row) {
  for_vectors<T>(
      row.count, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> h = act.state(get(row.z + j, span) + get(row.bias + j, span));
        put(row.saved + j, h, span);
        put(row.saved + row.units + j, get(row.h_before + j, span), span);
        put(row.h + j, h, span);
        put(row.y + j, h, span);
      });
}

// ---- all steps of a range of rows

/// Whether w_x is read where it is: with one row, packing it would take longer than all else. Register tiles read whole
/// vectors, or parts of them where that costs nothing.
template <class T>
bool reads_weights_in_place(const RnnShape& s) {
  return s.batch == 1 && (kMaskedLoads || rnn_gates(s.cell) * s.units % kLanes<T> == 0);
}
/// And w_h, where a single row goes through few steps: panels are read faster, but have to be made.
inline bool packs_recurrent_weights(const RnnShape& s) { return s.batch > 1 || s.steps >= 16; }

/// Units of a block: some panels, of a single row one, or as many columns as it has sums of in registers.
template <class T>
std::int64_t forward_block(const RnnShape& s) {
  if (!rnn_by_units(s)) return s.units;
  if (s.batch > 1) return kBlockPanels * kNr<T>;
  return packs_recurrent_weights(s) ? kNr<T> : kGemvVectors * kLanes<T>;
}

/// Gates [from, to), whose columns of w_h multiply the same state.
struct Gates {
  int from, to;
  int count() const { return to - from; }
};
DLCORE_INLINE Gates first_gates(RnnCell cell) { return {0, cell == RnnCell::GruResetBefore ? 2 : rnn_gates(cell)}; }
DLCORE_INLINE Gates last_gates(RnnCell cell) { return {cell == RnnCell::GruResetBefore ? 2 : 0, rnn_gates(cell)}; }

/// body(first column, columns) for runs of neighbouring columns of w_h, in the order in which they are packed: those of
/// a block of units in each gate; gate after gate, where the block is all units, they are one run.
template <class Body>
DLCORE_INLINE void for_column_runs(const RnnShape& s, Gates gates, Units of, const Body& body) {
  if (of.count == s.units) return body(gates.from * s.units, gates.count() * s.units);
  for (int gate = gates.from; gate < gates.to; ++gate) body(gate * s.units + of.first, of.count);
}

/// Places of the packed weights, in elements: w_x, then w_h, its first_gates and, where these are not all, its
/// last_gates.
struct ForwardWeights {
  std::int64_t w_x, first, last, elements;
};
template <class T>
ForwardWeights forward_weights(const RnnShape& s) {
  const std::int64_t units = s.units, block = forward_block<T>(s), blocks = (units + block - 1) / block;
  const auto elements = [&](Gates gates) {
    return block == units ? panel_elements<T>(units, gates.count() * units)
                          : blocks * gates.count() * panel_elements<T>(units, block);
  };
  const std::int64_t first =
      reads_weights_in_place<T>(s) ? 0 : panel_elements<T>(s.channels, rnn_gates(s.cell) * units);
  if (!packs_recurrent_weights(s)) return {0, first, first, first};
  const std::int64_t end = first + elements(first_gates(s.cell));
  if (s.cell != RnnCell::GruResetBefore) return {0, first, first, end};
  return {0, first, end, end + elements(last_gates(s.cell))};
}

/// Places in the scratch of the rows of one pass, in elements.
struct ForwardScratch {
  std::int64_t block;  // steps whose inputs are projected together
  std::int64_t z;      // [block, rows, G*U]: their products
  std::int64_t zh;     // [rows, 3*U]: those of h, or [rows, U]: r * h
  std::int64_t h[2];   // [rows, U]: before even steps and before odd ones
  std::int64_t c;      // [rows, U]
  std::int64_t saved;  // [rows, saved*U]: one step's, where there is no workspace
  std::int64_t elements;
};
template <class T>
ForwardScratch forward_scratch(const RnnShape& s) {
  const std::int64_t rows = rnn_pass_rows(s), state = rows * s.units;
  const std::int64_t block = max_of<std::int64_t>(1, min_of(s.steps, kBlockRows / rows));
  const std::int64_t zh = block * rnn_gates(s.cell) * state;
  const std::int64_t h = zh + (s.cell == RnnCell::GruResetAfter ? 3 * state : state);
  const std::int64_t saved = h + 3 * state;
  return {block, 0, zh, {h, h + state}, h + 2 * state, saved, saved + rnn_layout(s.cell).saved * state};
}

template <class T, bool kUsual>
class ForwardPass {
 public:
  ForwardPass(const RnnShape& shape, const RnnForward<T>& io, const T* packed, std::int64_t first, std::int64_t rows,
              T* scratch)
      : s_(shape),
        io_(io),
        act_(shape),
        weights_(forward_weights<T>(shape)),
        first_(first),
        rows_(rows),
        cols_(rnn_gates(shape.cell) * shape.units),
        block_units_(forward_block<T>(shape)),
        packs_(packs_recurrent_weights(shape)),
        packed_(packed) {
    const ForwardScratch at = forward_scratch<T>(shape);
    block_ = at.block, z_ = scratch + at.z, zh_ = scratch + at.zh, c_ = scratch + at.c, saved_ = scratch + at.saved;
    h_[0] = scratch + at.h[0], h_[1] = scratch + at.h[1];
  }

  void run() {
    const std::int64_t state = rows_ * s_.units, at = first_ * s_.units;
    copy_row(h_[0], io_.h0 + at, state);
    if (io_.c0) copy_row(c_, io_.c0 + at, state);
    for (std::int64_t from = 0; from < s_.steps; from += block_) {
      const std::int64_t to = min_of(from + block_, s_.steps);
      project(from, to);
      run_steps(from, to);
    }
    copy_row(io_.h_T + at, h_[s_.steps % 2], state);
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
    if (io_.x_products) return take_products(io_.x_products, from, to);
    if (io_.rounded_x_products) return take_products(io_.rounded_x_products, from, to);
    const std::int64_t panels = (cols_ + kNr<T> - 1) / kNr<T>;
    parallel_for(panels, product_cost((to - from) * rows_, s_.channels, cols_),
                 [&](std::int64_t panel) { project_panel(from, to, panel * kNr<T>); });
  }

  /// The same, out of products that have been made.
  template <class P>
  void take_products(const P* products, std::int64_t from, std::int64_t to) {
    const double cost = 0.1 * static_cast<double>((to - from) * rows_ * cols_);
    parallel_for(to - from, cost, [&](std::int64_t ahead) {
      for (std::int64_t row = 0; row < rows_; ++row) {
        const std::int64_t pair = (first_ + row) * s_.steps + time_of(from + ahead);
        const P* const product = products + (io_.inverse ? io_.inverse[pair] : pair) * cols_;
        T* const z = z_ + (ahead * rows_ + row) * cols_;
        if constexpr (sizeof(P) == sizeof(T))
          copy_row(z, product, cols_);
        else
          for (std::int64_t j = 0; j < cols_; ++j)
            z[j] = bitcast<float>(static_cast<std::uint32_t>(product[j].bits) << 16);
      }
    });
  }

  void project_panel(std::int64_t from, std::int64_t to, std::int64_t j) {
    const std::int64_t k = s_.channels, steps = to - from, ahead = s_.reverse ? -k : k;
    const int width = static_cast<int>(min_of<std::int64_t>(kNr<T>, cols_ - j));
    const bool in_place = reads_weights_in_place<T>(s_);
    const T* const panel = in_place ? io_.w_x + j : packed_ + weights_.w_x + j * k;
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

  /// z (+)= a w_h[:, gates], the columns of some units.
  void recur(std::int64_t step, Units of, const T* a, Gates gates, T* z, bool accumulate) {
    if (io_.steps) return io_.steps->multiply(gates.from == 0 ? 0 : 1, first_, rows_, a, z, accumulate);
    const T* panels =
        packed_ + (gates.from == 0 ? weights_.first : weights_.last) + of.first * gates.count() * s_.units;
    for_column_runs(s_, gates, of, [&](std::int64_t first, std::int64_t columns) {
      if (!packs_) return multiply_row(step, a, io_.w_h + first, columns, z + first, accumulate);
      multiply(rows_, columns, s_.units, a, s_.units, panels, z + first, cols_, accumulate, to_be_saved(step, of));
      panels += panel_elements<T>(s_.units, columns);
    });
  }

  /// Where the step's vectors are saved, if these units are all that are.
  Later<T> to_be_saved(std::int64_t step, Units of) const {
    const std::int64_t saved = rnn_layout(s_.cell).saved * s_.units;
    if (!io_.workspace || of.count < s_.units) return {};
    return {io_.workspace + (step * s_.batch + first_) * saved, rows_ * saved};
  }

  /// The weights where they are, every other step from the last columns to the first: those are still in the nearest
  /// cache.
  void multiply_row(std::int64_t step, const T* a, const T* w_h, std::int64_t columns, T* z, bool accumulate) const {
    constexpr std::int64_t kWidth = kGemvVectors * kLanes<T>;
    const std::int64_t count = (columns + kWidth - 1) / kWidth;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t j = (step % 2 ? count - 1 - i : i) * kWidth;
      gemv(s_.units, a, std::int64_t{1}, w_h + j, cols_, z + j, min_of(kWidth, columns - j), accumulate);
    }
  }

  ForwardRow<T> row_at(std::int64_t row, std::int64_t step, Units of, const T* z) const {
    const std::int64_t units = s_.units, saved = rnn_layout(s_.cell).saved * units, at = row * units + of.first;
    T* const keep = io_.workspace ? io_.workspace + (step * s_.batch + first_ + row) * saved : saved_ + row * saved;
    return {of.count,
            units,
            z + row * cols_ + of.first,
            zh_ + row * cols_ + of.first,
            io_.b + of.first,
            s_.bias_rows == 2 ? io_.b + cols_ + of.first : nullptr,
            h_[step % 2] + at,
            h_[(step + 1) % 2] + at,
            c_ + at,
            keep + of.first,
            io_.y + ((first_ + row) * s_.steps + step) * units + of.first};
  }

  /// Steps [from, to), whose inputs are in z_. A GruResetBefore takes each of them in two: no unit goes on to its
  /// candidate before all have reset their state.
  void run_steps(std::int64_t from, std::int64_t to) {
    const Gates first = first_gates(s_.cell), last = last_gates(s_.cell);
    const bool resets = s_.cell == RnnCell::GruResetBefore;
    const double cost = product_cost((to - from) * rows_, s_.units, cols_);
    share_units((to - from) * (resets ? 2 : 1), s_.units, block_units_, cost, [&](std::int64_t i, Units of) {
      const std::int64_t ahead = resets ? i / 2 : i, step = from + ahead;
      const T* const h = h_[step % 2];
      T* const z = z_ + ahead * rows_ * cols_;
      if (!resets) return finish_step(step, of, h, first, z);
      if (i % 2 == 1) return finish_step(step, of, zh_, last, z);
      recur(step, of, h, first, z, true);
      for (std::int64_t row = 0; row < rows_; ++row)
        gru_reset_before_gates(act_, row_at(row, step, of, z), zh_ + row * s_.units + of.first);
    });
  }

  /// The products of a with the last gates and, as all sums are known then, the states after the step.
  void finish_step(std::int64_t step, Units of, const T* a, Gates gates, T* z) {
    const bool apart = s_.cell == RnnCell::GruResetAfter;
    recur(step, of, a, gates, apart ? zh_ : z, !apart);
    for (std::int64_t row = 0; row < rows_; ++row) {
      const ForwardRow<T> at = row_at(row, step, of, z);
      if (masked(row, time_of(step)))
        pass_by(at, step);
      else
        update(at);
    }
  }

  void update(const ForwardRow<T>& row) {
    switch (s_.cell) {
      case RnnCell::Lstm:
        return lstm_row(act_, row);
      case RnnCell::GruResetAfter:
        return gru_reset_after_row(act_, row);
      case RnnCell::GruResetBefore:
        return gru_reset_before_state(act_, row);
      case RnnCell::Simple:
        return simple_row(act_, row);
    }
  }

  /// A masked step: the states stay and the output is repeated. Its gradients are zero, but h meets them in a product.
  void pass_by(const ForwardRow<T>& row, std::int64_t step) const {
    copy_row(row.h, row.h_before, row.count);
    copy_row(row.saved + rnn_layout(s_.cell).h_before * row.units, row.h_before, row.count);
    if (step > 0)
      copy_row(row.y, row.y - row.units, row.count);
    else
      clear_row(row.y, row.count);
  }

  const RnnShape& s_;
  const RnnForward<T>& io_;
  Activations<T, kUsual> act_;
  ForwardWeights weights_;
  std::int64_t first_, rows_, cols_, block_units_, block_;
  bool packs_;
  const T* packed_;
  T *z_, *zh_, *h_[2], *c_, *saved_;
};

}  // namespace dlcore::DLCORE_ISA
