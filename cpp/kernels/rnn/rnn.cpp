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

constexpr std::int64_t kMostRows = 32;      // of a chunk: the step's sums stay in L1
constexpr double kFlopsPerNanosecond = 50;  // of one thread, for cost estimates
constexpr std::int64_t kAlign = 64;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Elements rounded up to whole cache lines.
template <class T>
std::int64_t whole_lines(std::int64_t elements) {
  return ceil_div(elements, kAlign / sizeof(T)) * (kAlign / sizeof(T));
}

// ------------------------------------------------------------------------------------------ the products over all
// steps

template <class T>
void run_gemm(const GemmShape& shape, const T* a, const T* b, T* c, void* scratch) {
  gemm(plan_gemm<T>(shape), a, b, c, {}, scratch);
}

/// dw [k, cols of all U*G] = a^T d for `vectors` vectors of d, from vector `from` of d into vector `into` of dw.
GemmShape weights_product(const RnnShape& s, std::int64_t k, std::int64_t vectors) {
  GemmShape shape = dense_gemm(k, vectors * s.units, s.batch * s.steps, true, false);
  shape.ldb = rnn_layout(s.cell).deltas * s.units;
  shape.ldc = rnn_gates(s.cell) * s.units;
  return shape;
}

GemmShape input_product(const RnnShape& s) {
  GemmShape shape = dense_gemm(s.batch * s.steps, s.channels, rnn_gates(s.cell) * s.units, false, true);
  shape.lda = rnn_layout(s.cell).deltas * s.units;
  return shape;
}

/// How the columns of dw_h come from the deltas: `vectors` of them with the i-th matrix of inputs.
struct RecurrentPart {
  int input, from, into, vectors;
};
constexpr RecurrentPart kNoPart{0, 0, 0, 0};
std::array<RecurrentPart, 2> recurrent_parts(RnnCell cell) {
  switch (cell) {
    case RnnCell::GruResetAfter:
      return {{{0, 0, 0, 2}, {0, 3, 2, 1}}};  // n is added up as n_x + r * n_h: its delta times r
    case RnnCell::GruResetBefore:
      return {{{0, 0, 0, 2}, {1, 2, 2, 1}}};  // n multiplies r * h
    default:
      return {{{0, 0, 0, rnn_gates(cell)}, kNoPart}};
  }
}

template <class T>
std::size_t products_scratch_bytes(const RnnShape& s) {
  std::size_t bytes = plan_gemm<T>(weights_product(s, s.channels, rnn_gates(s.cell))).scratch_bytes;
  bytes = std::max(bytes, plan_gemm<T>(input_product(s)).scratch_bytes);
  for (const RecurrentPart& part : recurrent_parts(s.cell))
    if (part.vectors) bytes = std::max(bytes, plan_gemm<T>(weights_product(s, s.units, part.vectors)).scratch_bytes);
  return bytes;
}

template <class T>
void weight_gradients(const RnnShape& s, const RnnBackward<T>& io, const T* deltas, void* scratch) {
  const std::int64_t steps = s.batch * s.steps;
  const T* inputs = io.workspace + steps * rnn_layout(s.cell).saved * s.units;
  run_gemm(weights_product(s, s.channels, rnn_gates(s.cell)), io.x, deltas, io.dw_x, scratch);
  for (const RecurrentPart& part : recurrent_parts(s.cell))
    if (part.vectors)
      run_gemm(weights_product(s, s.units, part.vectors), inputs + part.input * steps * s.units,
               deltas + part.from * s.units, io.dw_h + part.into * s.units, scratch);
  if (io.dx) run_gemm(input_product(s), deltas, io.w_x, io.dx, scratch);
}

/// db from the sums of each row, added in the order of the rows.
template <class T>
void bias_gradients(const RnnShape& s, const T* row_sums, T* db) {
  const std::int64_t units = s.units, width = rnn_layout(s.cell).deltas * units, cols = rnn_gates(s.cell) * units;
  std::fill_n(db, s.bias_rows * cols, T{0});
  for (std::int64_t b = 0; b < s.batch; ++b, row_sums += width) {
    for (std::int64_t j = 0; j < cols; ++j) db[j] += row_sums[j];
    if (s.bias_rows == 1) continue;
    for (std::int64_t j = 0; j < 2 * units; ++j) db[cols + j] += row_sums[j];
    for (std::int64_t j = 0; j < units; ++j) db[cols + 2 * units + j] += row_sums[3 * units + j];
  }
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

std::int64_t rnn_chunk_rows(std::int64_t batch) {
  return std::clamp<std::int64_t>(ceil_div(batch, num_threads()), 1, kMostRows);
}

std::int64_t rnn_workspace_size(const RnnShape& s) {
  const RnnLayout layout = rnn_layout(s.cell);
  return (layout.saved + layout.inputs) * s.units;
}

double rnn_forward_flops(const RnnShape& s) {
  return 2.0 * static_cast<double>(s.batch * s.steps * rnn_gates(s.cell) * s.units * (s.channels + s.units));
}
double rnn_backward_flops(const RnnShape& s) { return 2 * rnn_forward_flops(s); }

// ------------------------------------------------------------------------------------------------------------- forward

namespace {

/// Places in scratch, in elements.
struct ForwardPlaces {
  std::int64_t chunk, chunk_elements, end;
};
template <class T>
ForwardPlaces forward_places(const RnnShape& s) {
  const std::int64_t chunks = ceil_div(s.batch, s.chunk_rows);
  const std::int64_t chunk = whole_lines<T>(rows_of<T>().packed_forward(s));
  const std::int64_t elements = whole_lines<T>(rows_of<T>().scratch_forward(s));
  return {chunk, elements, chunk + chunks * elements};
}

struct BackwardPlaces {
  std::int64_t deltas, bias, chunk, chunk_elements, products;
};
template <class T>
BackwardPlaces backward_places(const RnnShape& s) {
  const std::int64_t chunks = ceil_div(s.batch, s.chunk_rows);
  const std::int64_t width = rnn_layout(s.cell).deltas * s.units;
  BackwardPlaces places;
  places.deltas = whole_lines<T>(rows_of<T>().packed_backward(s));
  places.bias = places.deltas + whole_lines<T>(s.batch * s.steps * width);
  places.chunk = places.bias + whole_lines<T>(s.batch * width);
  places.chunk_elements = whole_lines<T>(rows_of<T>().scratch_backward(s));
  places.products = places.chunk + chunks * places.chunk_elements;
  return places;
}

/// body(first row, rows, chunk) for every chunk of batch rows.
template <class Body>
void for_chunks(const RnnShape& s, double flops, const Body& body) {
  parallel_for(ceil_div(s.batch, s.chunk_rows), flops / kFlopsPerNanosecond, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * s.chunk_rows;
    body(first, std::min(s.chunk_rows, s.batch - first), chunk);
  });
}

}  // namespace

template <class T>
std::size_t rnn_forward_scratch_bytes(const RnnShape& s) {
  return sizeof(T) * forward_places<T>(s).end;
}
template <class T>
std::size_t rnn_backward_scratch_bytes(const RnnShape& s) {
  return sizeof(T) * backward_places<T>(s).products + products_scratch_bytes<T>(s);
}

template <class T>
void rnn_forward(const RnnShape& s, const RnnForward<T>& io, void* scratch) {
  const ForwardPlaces places = forward_places<T>(s);
  T* packed = static_cast<T*>(scratch);
  rows_of<T>().pack_forward(s, io.w_x, io.w_h, packed);
  for_chunks(s, rnn_forward_flops(s), [&](std::int64_t first, std::int64_t rows, std::int64_t chunk) {
    rows_of<T>().forward(s, io, packed, first, rows, packed + places.chunk + chunk * places.chunk_elements);
  });
}

template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& io, void* scratch) {
  const BackwardPlaces places = backward_places<T>(s);
  T* packed = static_cast<T*>(scratch);
  const RnnDeltas<T> deltas{packed + places.deltas, packed + places.bias};
  rows_of<T>().pack_backward(s, io.w_h, packed);
  for_chunks(s, rnn_forward_flops(s) / 2, [&](std::int64_t first, std::int64_t rows, std::int64_t chunk) {
    rows_of<T>().backward(s, io, packed, deltas, first, rows, packed + places.chunk + chunk * places.chunk_elements);
  });
  weight_gradients(s, io, deltas.all, packed + places.products);
  bias_gradients(s, deltas.bias, io.db);
}

#define DLCORE_INSTANTIATE(T)                                              \
  template std::size_t rnn_forward_scratch_bytes<T>(const RnnShape&);      \
  template std::size_t rnn_backward_scratch_bytes<T>(const RnnShape&);     \
  template void rnn_forward(const RnnShape&, const RnnForward<T>&, void*); \
  template void rnn_backward(const RnnShape&, const RnnBackward<T>&, void*);
DLCORE_INSTANTIATE(float)
DLCORE_INSTANTIATE(double)

}  // namespace dlcore
