#include "kernels/rnn/rnn.h"

#include <algorithm>
#include <array>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/rnn/rows.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(RnnKernels, rnn_kernels)

namespace {

struct ActivationName {
  std::string_view name;
  RnnActivation activation;
};
constexpr std::array kActivationNames{
    ActivationName{"linear", RnnActivation::Linear},
    ActivationName{"relu", RnnActivation::Relu},
    ActivationName{"relu6", RnnActivation::Relu6},
    ActivationName{"leaky_relu", RnnActivation::LeakyRelu},
    ActivationName{"tanh", RnnActivation::Tanh},
    ActivationName{"hard_tanh", RnnActivation::HardTanh},
    ActivationName{"sigmoid", RnnActivation::Sigmoid},
    ActivationName{"hard_sigmoid", RnnActivation::HardSigmoid},
    ActivationName{"softplus", RnnActivation::Softplus},
    ActivationName{"softsign", RnnActivation::Softsign},
    ActivationName{"elu", RnnActivation::Elu},
    ActivationName{"selu", RnnActivation::Selu},
    ActivationName{"exponential", RnnActivation::Exponential},
};

template <class T>
const RnnRows<T>& rows_of() {
  if constexpr (sizeof(T) == 4)
    return rnn_kernels().f32;
  else
    return rnn_kernels().f64;
}

constexpr double kFlopsPerNanosecond = 50;  // of one thread, for cost estimates
constexpr std::int64_t kAlign = 64;
constexpr std::int64_t kMostGroups = 16;       // of batch rows with sums of their own,
constexpr std::int64_t kSumsBytes = 32 << 20;  // and the bytes that these may take

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Elements rounded up to whole cache lines.
template <class T>
std::int64_t whole_lines(std::int64_t elements) {
  return ceil_div(elements, kAlign / sizeof(T)) * (kAlign / sizeof(T));
}

}  // namespace

std::optional<RnnActivation> rnn_activation(std::string_view name) {
  for (const ActivationName& entry : kActivationNames)
    if (entry.name == name) return entry.activation;
  return std::nullopt;
}

std::string rnn_activation_names() {
  std::string names;
  for (const ActivationName& entry : kActivationNames) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

std::int64_t rnn_workspace_size(const RnnShape& s) { return rnn_layout(s.cell).saved * s.units; }

double rnn_forward_flops(const RnnShape& s) {
  return 2.0 * static_cast<double>(s.batch * s.steps * rnn_gates(s.cell) * s.units * (s.channels + s.units));
}
double rnn_backward_flops(const RnnShape& s) { return 2 * rnn_forward_flops(s); }

// ------------------------------------------------------------------------------------------------------------- forward

namespace {

std::int64_t chunks_of(const RnnShape& s) { return ceil_div(s.batch, rnn_chunk_rows(s.batch)); }

/// body(first row, rows) for the chunks [from, to) of batch rows.
template <class Body>
void for_chunks(const RnnShape& s, std::int64_t from, std::int64_t to, const Body& body) {
  const std::int64_t rows = rnn_chunk_rows(s.batch);
  for (std::int64_t chunk = from; chunk < to; ++chunk) body(chunk * rows, std::min(rows, s.batch - chunk * rows));
}

/// Places in scratch, in elements: packed weights, then for each task what it works in.
struct ForwardPlaces {
  std::int64_t tasks, task_elements, end;
};
template <class T>
ForwardPlaces forward_places(const RnnShape& s) {
  const std::int64_t tasks = whole_lines<T>(rows_of<T>().packed_forward(s));
  const std::int64_t elements = whole_lines<T>(rows_of<T>().scratch_forward(s));
  return {tasks, elements, tasks + chunks_of(s) * elements};
}

}  // namespace

template <class T>
std::size_t rnn_forward_scratch_bytes(const RnnShape& s) {
  return sizeof(T) * forward_places<T>(s).end;
}

template <class T>
void rnn_forward(const RnnShape& s, const RnnForward<T>& io, void* scratch) {
  const ForwardPlaces places = forward_places<T>(s);
  T* packed = static_cast<T*>(scratch);
  rows_of<T>().pack_forward(s, io.w_x, io.w_h, packed);
  parallel_for(chunks_of(s), rnn_forward_flops(s) / kFlopsPerNanosecond, [&](std::int64_t chunk) {
    for_chunks(s, chunk, chunk + 1, [&](std::int64_t first, std::int64_t rows) {
      rows_of<T>().forward(s, io, packed, first, rows, packed + places.tasks + chunk * places.task_elements);
    });
  });
}

// ------------------------------------------------------------------------------------------------------------ backward

namespace {

/// Elements of the weights' gradients: dw_x, dw_h, and the sums of the deltas that give db.
struct SumPlaces {
  std::int64_t dw_h, db, end;
};
template <class T>
SumPlaces sum_places(const RnnShape& s) {
  const std::int64_t cols = rnn_gates(s.cell) * s.units;
  const std::int64_t dw_h = whole_lines<T>(s.channels * cols), db = dw_h + whole_lines<T>(s.units * cols);
  return {dw_h, db, db + whole_lines<T>(rnn_layout(s.cell).deltas * s.units)};
}

struct BackwardPlaces {
  std::int64_t groups;  // of chunks; each sums the weights' gradients of its rows
  std::int64_t sums, sum_elements, tasks, task_elements, end;
};
template <class T>
BackwardPlaces backward_places(const RnnShape& s) {
  BackwardPlaces places;
  places.sum_elements = sum_places<T>(s).end;
  const std::int64_t room = kSumsBytes / static_cast<std::int64_t>(places.sum_elements * sizeof(T));
  places.groups = std::min({chunks_of(s), kMostGroups, std::max<std::int64_t>(2, room)});
  places.sums = whole_lines<T>(rows_of<T>().packed_backward(s));
  places.tasks = places.sums + std::max<std::int64_t>(1, places.groups) * places.sum_elements;
  places.task_elements = whole_lines<T>(rows_of<T>().scratch_backward(s));
  places.end = places.tasks + places.groups * places.task_elements;
  return places;
}

/// The sums of all groups, in order, into those of the first.
template <class T>
void add_groups(const BackwardPlaces& places, T* sums) {
  constexpr std::int64_t kPiece = 4096;
  const double cost = 0.3 * static_cast<double>(places.sum_elements * places.groups);
  parallel_for(ceil_div(places.sum_elements, kPiece), cost, [&](std::int64_t piece) {
    const std::int64_t last = std::min((piece + 1) * kPiece, places.sum_elements);
    for (std::int64_t group = 1; group < places.groups; ++group) {
      const T* from = sums + group * places.sum_elements;
      for (std::int64_t i = piece * kPiece; i < last; ++i) sums[i] += from[i];
    }
  });
}

/// The results out of the sums; db [bias_rows, G*U] has the deltas of the inputs' sums, then those of the recurrent
/// ones.
template <class T>
void store_sums(const RnnShape& s, const T* sums, const RnnBackward<T>& io) {
  const SumPlaces at = sum_places<T>(s);
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units;
  const T* deltas = sums + at.db;
  std::copy_n(sums, s.channels * cols, io.dw_x);
  std::copy_n(sums + at.dw_h, units * cols, io.dw_h);
  std::copy_n(deltas, cols, io.db);
  if (s.bias_rows == 1) return;
  std::copy_n(deltas, 2 * units, io.db + cols);
  std::copy_n(deltas + 3 * units, units, io.db + cols + 2 * units);
}

}  // namespace

template <class T>
std::size_t rnn_backward_scratch_bytes(const RnnShape& s) {
  return sizeof(T) * backward_places<T>(s).end;
}

template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& io, void* scratch) {
  const BackwardPlaces places = backward_places<T>(s);
  const SumPlaces at = sum_places<T>(s);
  T* packed = static_cast<T*>(scratch);
  T* sums = packed + places.sums;
  rows_of<T>().pack_backward(s, io.w_x, io.w_h, packed);
  if (places.groups == 0) std::fill_n(sums, places.sum_elements, T{0});
  parallel_for(places.groups, rnn_backward_flops(s) / kFlopsPerNanosecond, [&](std::int64_t group) {
    T* sum = sums + group * places.sum_elements;
    std::fill_n(sum, places.sum_elements, T{0});
    const std::int64_t chunks = chunks_of(s);
    for_chunks(s, chunks * group / places.groups, chunks * (group + 1) / places.groups,
               [&](std::int64_t first, std::int64_t rows) {
                 rows_of<T>().backward(s, io, packed, {sum, sum + at.dw_h, sum + at.db}, first, rows,
                                       packed + places.tasks + group * places.task_elements);
               });
  });
  add_groups(places, sums);
  store_sums(s, sums, io);
}

#define DLCORE_INSTANTIATE(T)                                              \
  template std::size_t rnn_forward_scratch_bytes<T>(const RnnShape&);      \
  template std::size_t rnn_backward_scratch_bytes<T>(const RnnShape&);     \
  template void rnn_forward(const RnnShape&, const RnnForward<T>&, void*); \
  template void rnn_backward(const RnnShape&, const RnnBackward<T>&, void*);
DLCORE_INSTANTIATE(float)
DLCORE_INSTANTIATE(double)

}  // namespace dlcore
