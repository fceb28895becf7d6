#include "kernels/rnn/backward.simd.h"
#include "kernels/rnn/forward.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

template <class T>
std::int64_t packed_forward(const RnnShape& s) {
  return forward_weights<T>(s).elements;
}
template <class T>
std::int64_t packed_backward(const RnnShape& s) {
  return backward_weights<T>(s).elements;
}
template <class T>
std::int64_t scratch_forward(const RnnShape& s) {
  return forward_scratch<T>(s).elements;
}
template <class T>
std::int64_t scratch_backward(const RnnShape& s) {
  return backward_scratch<T>(s).elements;
}

/// Of w_h, in nanoseconds.
double packing_cost(const RnnShape& s) { return 0.2 * static_cast<double>(rnn_gates(s.cell) * s.units * s.units); }

template <class T>
void pack_forward(const RnnShape& s, const T* w_x, const T* w_h, T* packed) {
  const ForwardWeights at = forward_weights<T>(s);
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units;
  if (w_x && !reads_weights_in_place<T>(s)) pack_weights(w_x, cols, false, s.channels, cols, packed + at.w_x);
  if (!w_h || !packs_recurrent_weights(s)) return;
  const auto pack = [&](Gates gates, T* panels) {
    share_units(1, units, forward_block<T>(s), packing_cost(s), [&](std::int64_t, Units of) {
      T* to = panels + of.first * gates.count() * units;
      for_column_runs(s, gates, of, [&](std::int64_t first, std::int64_t columns) {
        pack_weights(w_h + first, cols, false, units, columns, to);
        to += panel_elements<T>(units, columns);
      });
    });
  };
  pack(first_gates(s.cell), packed + at.first);
  if (at.last != at.first) pack(last_gates(s.cell), packed + at.last);
}

template <class T>
void pack_backward(const RnnShape& s, const T* w_h, T* packed) {
  const BackwardWeights at = backward_weights<T>(s);
  const RecurrentParts parts = recurrent_parts(s.cell);
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units;
  share_units(1, units, backward_block<T>(s), packing_cost(s), [&](std::int64_t, Units of) {
    for (int i = 0; i < parts.count; ++i) {
      const std::int64_t k = parts.part[i].vectors * units;
      pack_weights(w_h + parts.part[i].into * units + of.first * cols, cols, true, k, of.count,
                   packed + at.part[i] + of.first * k);
    }
  });
}

// float has a version with tanh and sigmoid compiled in; in double those are the C library's and cost far more.
bool usual(const RnnShape& s) {
  return s.activation == RnnActivation::Tanh && s.recurrent_activation == RnnActivation::Sigmoid;
}

template <class T>
void forward(const RnnShape& s, const RnnForward<T>& io, const T* packed, std::int64_t first, std::int64_t rows,
             T* scratch) {
  if (sizeof(T) == 4 && usual(s))
    ForwardPass<T, sizeof(T) == 4>(s, io, packed, first, rows, scratch).run();
  else
    ForwardPass<T, false>(s, io, packed, first, rows, scratch).run();
}

template <class T>
void backward(const RnnShape& s, const RnnBackward<T>& io, const T* packed, const RnnDeltas<T>& left,
              std::int64_t first, std::int64_t rows, T* scratch) {
  if (sizeof(T) == 4 && usual(s))
    BackwardPass<T, sizeof(T) == 4>(s, io, packed, left, first, rows, scratch).run();
  else
    BackwardPass<T, false>(s, io, packed, left, first, rows, scratch).run();
}

}  // namespace

#define DLCORE_RNN_ROWS(T)                                                                                             \
  {                                                                                                                    \
    packed_forward<T>, packed_backward<T>, scratch_forward<T>, scratch_backward<T>, pack_forward<T>, pack_backward<T>, \
        forward<T>, backward<T>, merge_deltas<T>                                                                       \
  }

extern const RnnKernels rnn_kernels_table;
const RnnKernels rnn_kernels_table = {DLCORE_RNN_ROWS(float), DLCORE_RNN_ROWS(double)};

}  // namespace dlcore::DLCORE_ISA
