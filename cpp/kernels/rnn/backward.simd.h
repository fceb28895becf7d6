// Backward through time for a range of batch rows. Only for *.simd.cpp.
// Steps go in blocks: each step leaves the gradients of the sums in its gates (deltas) behind, and while those of a
// block are in L2 they are multiplied with the inputs (dw_x, dw_h) and the weights (dx).
#pragma once

#include "kernels/gemm/panels.simd.h"
#include "kernels/rnn/activation.simd.h"
#include "kernels/rnn/rows.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

/// One batch row at one step. U elements per vector.
template <class T>
struct BackwardRow {
  std::int64_t units;
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
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
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
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
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
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> z = get(row.saved + j, span), n = get(row.saved + 2 * units + j, span);
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
  const std::int64_t units = row.units;
  for_vectors<T>(
      units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> r = get(row.saved + units + j, span), d = get(dreset + j, span);
        const vec<T> dr = d * get(row.h_before + j, span) * act.gate_slope(r);
        put_delta(row, 1, j, dr, span);
        put(row.dh + j, fma(d, r, get(row.dh + j, span)), span);
      });
}

template <class T, bool kUsual>
void simple_row_back(const Activations<T, kUsual>& act, const BackwardRow<T>& row) {
  for_vectors<T>(
      row.units, [&](std::int64_t j, auto span) __attribute__((always_inline)) {
        const vec<T> d = take_dh(row, j, span) * act.state_slope(get(row.saved + j, span));
        put_delta(row, 0, j, d, span);
        put(row.dh + j, vec<T>{}, span);
      });
}

// ---- all steps of a range of rows

/// Columns of w_h: `vectors` of them from `into` on multiply one of the saved vectors, and their deltas start at
/// `from`.
struct RecurrentPart {
  int saved, from, into, vectors;
};
/// The columns that multiply h, in at most two parts; the first has all but those of the candidate of a GRU.
struct RecurrentParts {
  RecurrentPart part[2];
  int count;
};
DLCORE_INLINE RecurrentParts recurrent_parts(RnnCell cell) {
  const RnnLayout layout = rnn_layout(cell);
  switch (cell) {
    case RnnCell::GruResetAfter:
      return {{{layout.h_before, 0, 0, 2}, {layout.h_before, 3, 2, 1}}, 2};
    case RnnCell::GruResetBefore:
      return {{{layout.h_before, 0, 0, 2}, {layout.reset, 2, 2, 1}}, 2};
    default:
      return {{{layout.h_before, 0, 0, rnn_gates(cell)}, {}}, 1};
  }
}

/// Places of the packed transposes, in elements: of w_x, and of w_h in its parts.
struct BackwardWeights {
  std::int64_t w_x, w_h[2], elements;
};
template <class T>
BackwardWeights backward_weights(const RnnShape& s) {
  const RecurrentParts parts = recurrent_parts(s.cell);
  BackwardWeights at{};
  at.w_h[0] = panel_elements<T>(rnn_gates(s.cell) * s.units, s.channels);
  at.w_h[1] = at.w_h[0] + panel_elements<T>(parts.part[0].vectors * s.units, s.units);
  at.elements = at.w_h[1] + panel_elements<T>(parts.part[1].vectors * s.units, s.units);
  return at;
}

/// Rows of x and h as the transposed operand of the weights' gradients: panels of `height` columns.
DLCORE_INLINE std::int64_t panel_height(std::int64_t columns, std::int64_t most) {
  const std::int64_t panels = (columns + most - 1) / most;
  return (columns + panels - 1) / panels;
}

/// Places in the scratch of one chunk of rows, in elements.
struct BackwardScratch {
  std::int64_t block;            // steps whose products are made together
  std::int64_t delta_stride;     // of the rows of deltas: an odd number of cache lines, which spreads them in L1
  std::int64_t deltas;           // [block, rows, delta_stride]
  std::int64_t inputs;           // panels of x or h, block * rows long
  std::int64_t dh, dc, carried;  // [rows, U]
  std::int64_t dreset;           // [rows, U], for GruResetBefore
  std::int64_t elements;
};
template <class T>
BackwardScratch backward_scratch(const RnnShape& s) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  const std::int64_t rows = rnn_chunk_rows(s.batch), state = rows * s.units;
  BackwardScratch at{};
  at.block = max_of<std::int64_t>(1, min_of(s.steps, kBlockRows / rows));
  at.delta_stride = ((rnn_layout(s.cell).deltas * s.units + kLine - 1) / kLine | 1) * kLine;
  at.inputs = at.block * rows * at.delta_stride + kNr<T>;
  at.dh = at.inputs + at.block * rows * (max_of(s.channels, s.units) + kMr<T>);
  at.dc = at.dh + state, at.carried = at.dc + state, at.dreset = at.carried + state;
  at.elements = at.dreset + state;
  return at;
}

template <class T, bool kUsual>
class BackwardPass {
 public:
  BackwardPass(const RnnShape& shape, const RnnBackward<T>& io, const T* packed, const RnnPartial<T>& sums,
               std::int64_t first, std::int64_t rows, T* scratch)
      : s_(shape),
        io_(io),
        sums_(sums),
        act_(shape),
        parts_(recurrent_parts(shape.cell)),
        weights_(backward_weights<T>(shape)),
        layout_(rnn_layout(shape.cell)),
        first_(first),
        rows_(rows),
        cols_(rnn_gates(shape.cell) * shape.units),
        packed_(packed) {
    const BackwardScratch at = backward_scratch<T>(shape);
    block_ = at.block, stride_ = at.delta_stride;
    deltas_ = scratch + at.deltas, inputs_ = scratch + at.inputs, dh_ = scratch + at.dh, dc_ = scratch + at.dc;
    carried_ = scratch + at.carried, dreset_ = scratch + at.dreset;
  }

  void run() {
    const std::int64_t state = rows_ * s_.units, at = first_ * s_.units;
    start(dh_, io_.dh_T);
    start(dc_, io_.dc_T);
    clear_row(carried_, state);
    for (std::int64_t to = s_.steps; to > 0; to -= block_) {
      const std::int64_t from = max_of<std::int64_t>(0, to - block_);
      for (std::int64_t step = to - 1; step >= from; --step) run_step(step, step - from);
      weight_gradients(from, to);
      if (io_.dx) input_gradients(from, to);
    }
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
  T* deltas_at(std::int64_t slot) const { return deltas_ + slot * rows_ * stride_; }

  // ---- one step

  BackwardRow<T> row_at(std::int64_t row, std::int64_t step, std::int64_t slot) const {
    const std::int64_t units = s_.units;
    const T* saved = saved_at(step, row);
    return {units,
            saved,
            saved + layout_.h_before * units,
            io_.dy ? io_.dy + ((first_ + row) * s_.steps + step) * units : nullptr,
            dh_ + row * units,
            dc_ + row * units,
            io_.mask ? carried_ + row * units : nullptr,
            deltas_at(slot) + row * stride_,
            sums_.db};
  }

  void run_step(std::int64_t step, std::int64_t slot) {
    for (std::int64_t row = 0; row < rows_; ++row) {
      const BackwardRow<T> at = row_at(row, step, slot);
      if (masked(row, step))
        pass_by(at);
      else
        update(at);
    }
    if (s_.cell == RnnCell::GruResetBefore) {
      multiply_recurrent(1, slot, dreset_, false);
      for (std::int64_t row = 0; row < rows_; ++row)
        if (!masked(row, step)) gru_reset_before_gate_back(act_, row_at(row, step, slot), dreset_ + row * s_.units);
    } else if (parts_.count == 2) {
      multiply_recurrent(1, slot, dh_, true);
    }
    multiply_recurrent(0, slot, dh_, true);
  }

  /// A masked step: states and output are those before, no gate has a gradient.
  void pass_by(const BackwardRow<T>& at) const {
    clear_row(at.delta, layout_.deltas * s_.units);
    if (at.dy) add_row(at.carried, at.dy, s_.units);
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

  /// d (+)= deltas of a part times the transpose of its columns of w_h.
  void multiply_recurrent(int i, std::int64_t slot, T* d, bool accumulate) const {
    const RecurrentPart& part = parts_.part[i];
    multiply(rows_, s_.units, part.vectors * s_.units, deltas_at(slot) + part.from * s_.units, stride_,
             packed_ + weights_.w_h[i], d, s_.units, accumulate);
  }

  // ---- the products of a block of steps [from, to)

  T* input_gradient_at(std::int64_t row, std::int64_t step) const {
    return io_.dx + ((first_ + row) * s_.steps + time_of(step)) * s_.channels;
  }
  /// dx = deltas times the transpose of w_x: a panel of the weights serves all steps, as in the forward pass.
  void input_gradients(std::int64_t from, std::int64_t to) const {
    const std::int64_t channels = s_.channels, steps = to - from, ahead = s_.reverse ? -channels : channels;
    const T* panel = packed_ + weights_.w_x;
    for (std::int64_t j = 0; j < channels; j += kNr<T>, panel += cols_ * kNr<T>) {
      const int width = static_cast<int>(min_of<std::int64_t>(kNr<T>, channels - j));
      if (rows_ >= steps)
        for (std::int64_t step = 0; step < steps; ++step)
          multiply_panel(rows_, width, cols_, deltas_at(step), stride_, panel, std::int64_t{kNr<T>},
                         input_gradient_at(0, from + step) + j, s_.steps * channels, false);
      else
        for (std::int64_t row = 0; row < rows_; ++row)
          multiply_panel(steps, width, cols_, deltas_ + row * stride_, rows_ * stride_, panel, std::int64_t{kNr<T>},
                         input_gradient_at(row, from) + j, ahead, false);
    }
  }

  void weight_gradients(std::int64_t from, std::int64_t to) const {
    const std::int64_t units = s_.units, k = (to - from) * rows_;
    const auto x = [&](std::int64_t step) { return io_.x + (first_ * s_.steps + time_of(step)) * s_.channels; };
    pack_inputs(from, to, s_.channels, x, s_.steps * s_.channels);
    add_product(s_.channels, k, deltas_, cols_, sums_.dw_x);
    for (int i = 0; i < parts_.count; ++i) {
      const RecurrentPart& part = parts_.part[i];
      const auto h = [&](std::int64_t step) { return saved_at(step, 0) + part.saved * units; };
      if (i == 0 || part.saved != parts_.part[0].saved) pack_inputs(from, to, units, h, layout_.saved * units);
      add_product(units, k, deltas_ + part.from * units, part.vectors * units, sums_.dw_h + part.into * units);
    }
  }

  /// Panels of the rows rows_of(step)[row * ld], row < rows_, one step below the other.
  template <class RowsOf>
  void pack_inputs(std::int64_t from, std::int64_t to, std::int64_t columns, const RowsOf& rows_of,
                   std::int64_t ld) const {
    const std::int64_t height = panel_height(columns, kMr<T>), k = (to - from) * rows_;
    for (std::int64_t step = from; step < to; ++step)
      for (std::int64_t i = 0; i < columns; i += height)
        pack_panel(inputs_ + i * k + (step - from) * rows_ * height, static_cast<int>(height), rows_of(step) + i, ld,
                   false, static_cast<int>(min_of(height, columns - i)), rows_);
  }

  /// dw [rows, cols] += transpose of the packed inputs [k, rows] times deltas [k, cols]; rows of dw are cols_ apart.
  void add_product(std::int64_t rows, std::int64_t k, const T* deltas, std::int64_t cols, T* dw) const {
    const std::int64_t height = panel_height(rows, kMr<T>);
    for (std::int64_t j = 0; j < cols; j += kNr<T>)
      for (std::int64_t i = 0; i < rows; i += height)
        gemm_ukernel(static_cast<int>(min_of(height, rows - i)),
                     static_cast<int>(min_of<std::int64_t>(kNr<T>, cols - j)), k, inputs_ + i * k, std::int64_t{1},
                     height, deltas + j, stride_, dw + i * cols_ + j, cols_, true);
  }

  const RnnShape& s_;
  const RnnBackward<T>& io_;
  const RnnPartial<T>& sums_;
  Activations<T, kUsual> act_;
  RecurrentParts parts_;
  BackwardWeights weights_;
  RnnLayout layout_;
  std::int64_t first_, rows_, cols_, block_, stride_;
  const T* packed_;
  T *deltas_, *inputs_, *dh_, *dc_, *carried_, *dreset_;
};

}  // namespace dlcore::DLCORE_ISA
