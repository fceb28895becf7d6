#include "kernels/rnn/rnn.h"

#include <algorithm>
#include <array>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm.h"
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

template <class T>
std::int64_t chunks_of(const RnnShape& s) {
  return ceil_div(s.batch, rnn_chunk_rows<T>(s));
}

/// body(chunk, its first row, rows) for all chunks of batch rows.
template <class T, class Body>
void for_chunks(const RnnShape& s, double flops, const Body& body) {
  const std::int64_t rows = rnn_chunk_rows<T>(s);
  parallel_for(chunks_of<T>(s), flops / kFlopsPerNanosecond,
               [&](std::int64_t chunk) { body(chunk, chunk * rows, std::min(rows, s.batch - chunk * rows)); });
}

/// Places in scratch, in elements: packed weights, then for each task what it works in.
struct ForwardPlaces {
  std::int64_t tasks, task_elements, end;
};
template <class T>
ForwardPlaces forward_places(const RnnShape& s) {
  const std::int64_t tasks = whole_lines<T>(rows_of<T>().packed_forward(s));
  const std::int64_t elements = whole_lines<T>(rows_of<T>().scratch_forward(s));
  return {tasks, elements, tasks + chunks_of<T>(s) * elements};
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
  for_chunks<T>(s, rnn_forward_flops(s), [&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    rows_of<T>().forward(s, io, packed, first, rows, packed + places.tasks + chunk * places.task_elements);
  });
}

// ------------------------------------------------------------------------------------------------------------ backward

namespace {

/// The products that are left when all deltas are known.
template <class T>
struct BackwardProducts {
  GemmPlan dw_x, dw_h[2], dx;
  std::size_t scratch_bytes;

  explicit BackwardProducts(const RnnShape& s) {
    const std::int64_t cols = rnn_gates(s.cell) * s.units, pairs = s.batch * s.steps, stride = rnn_delta_stride<T>(s);
    const RecurrentParts parts = recurrent_parts(s.cell);
    GemmShape shape = dense_gemm(s.channels, cols, pairs, true);
    shape.ldb = stride;
    dw_x = plan_gemm<T>(shape);
    for (int i = 0; i < 2; ++i) {
      shape = dense_gemm(s.units, parts.part[i].vectors * s.units, pairs, true);
      shape.ldb = stride;
      shape.ldc = cols;
      dw_h[i] = plan_gemm<T>(shape);
    }
    shape = dense_gemm(pairs, s.channels, cols, false, true);
    shape.lda = stride;
    dx = plan_gemm<T>(shape);
    scratch_bytes = std::max({dw_x.scratch_bytes, dw_h[0].scratch_bytes, dw_h[1].scratch_bytes, dx.scratch_bytes});
  }
};

/// Places in scratch, in elements: packed weights, what all rows and steps leave (RnnDeltas), then for each chunk what
/// it works in, or for the products what they do.
struct BackwardPlaces {
  std::int64_t deltas, states, state_elements, db, db_elements;
  std::int64_t tasks, task_elements, end;
};
template <class T>
BackwardPlaces backward_places(const RnnShape& s) {
  const std::int64_t pairs = s.batch * s.steps, chunks = std::max<std::int64_t>(1, chunks_of<T>(s));
  BackwardPlaces at;
  at.deltas = whole_lines<T>(rows_of<T>().packed_backward(s));
  at.states = at.deltas + pairs * rnn_delta_stride<T>(s);
  at.state_elements = whole_lines<T>(pairs * s.units);
  at.db = at.states + recurrent_parts(s.cell).states * at.state_elements;
  at.db_elements = whole_lines<T>(rnn_layout(s.cell).deltas * s.units);
  at.tasks = at.db + chunks * at.db_elements;
  at.task_elements = whole_lines<T>(rows_of<T>().scratch_backward(s));
  at.end =
      at.tasks + std::max(chunks * at.task_elements,
                          whole_lines<T>(static_cast<std::int64_t>(BackwardProducts<T>(s).scratch_bytes / sizeof(T))));
  return at;
}

/// db [bias_rows, G*U], the sum over the chunks in order: the deltas of the inputs' sums, then those of the recurrent
/// ones.
template <class T>
void store_bias_gradient(const RnnShape& s, const BackwardPlaces& at, T* db, T* out) {
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units, deltas = rnn_layout(s.cell).deltas * units;
  if (s.batch == 0) std::fill_n(db, deltas, T{0});
  for (std::int64_t chunk = 1; chunk < chunks_of<T>(s); ++chunk)
    for (std::int64_t i = 0; i < deltas; ++i) db[i] += db[chunk * at.db_elements + i];
  std::copy_n(db, cols, out);
  if (s.bias_rows == 1) return;
  std::copy_n(db, 2 * units, out + cols);
  std::copy_n(db + 3 * units, units, out + cols + 2 * units);
}

}  // namespace

template <class T>
std::size_t rnn_backward_scratch_bytes(const RnnShape& s) {
  return sizeof(T) * backward_places<T>(s).end;
}

template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& io, void* scratch) {
  const BackwardPlaces at = backward_places<T>(s);
  const RecurrentParts parts = recurrent_parts(s.cell);
  T* const packed = static_cast<T*>(scratch);
  T* const deltas = packed + at.deltas;
  T* const states[2] = {packed + at.states, packed + at.states + (parts.states - 1) * at.state_elements};
  rows_of<T>().pack_backward(s, io.w_h, packed);
  for_chunks<T>(s, rnn_forward_flops(s), [&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    rows_of<T>().backward(s, io, packed, {deltas, {states[0], states[1]}, packed + at.db + chunk * at.db_elements},
                          first, rows, packed + at.tasks + chunk * at.task_elements);
  });
  store_bias_gradient(s, at, packed + at.db, io.db);

  const BackwardProducts<T> products(s);
  T* const room = packed + at.tasks;
  gemm<T>(products.dw_x, io.x, deltas, io.dw_x, {}, room);
  for (int i = 0; i < parts.count; ++i) {
    const RecurrentPart& part = parts.part[i];
    gemm<T>(products.dw_h[i], states[i], deltas + part.from * s.units, io.dw_h + part.into * s.units, {}, room);
  }
  if (io.dx) gemm<T>(products.dx, deltas, io.w_x, io.dx, {}, room);
}

#define DLCORE_INSTANTIATE(T)                                              \
  template std::size_t rnn_forward_scratch_bytes<T>(const RnnShape&);      \
  template std::size_t rnn_backward_scratch_bytes<T>(const RnnShape&);     \
  template void rnn_forward(const RnnShape&, const RnnForward<T>&, void*); \
  template void rnn_backward(const RnnShape&, const RnnBackward<T>&, void*);
DLCORE_INSTANTIATE(float)
DLCORE_INSTANTIATE(double)

}  // namespace dlcore
