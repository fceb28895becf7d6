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

std::int64_t chunks_of(const RnnShape& s) { return ceil_div(s.batch, rnn_chunk_rows(s)); }

/// body(chunk, its first row, rows) for all chunks of batch rows.
template <class Body>
void for_chunks(const RnnShape& s, double flops, const Body& body) {
  const std::int64_t rows = rnn_chunk_rows(s);
  parallel_for(chunks_of(s), flops / kFlopsPerNanosecond,
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
  for_chunks(s, rnn_forward_flops(s), [&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    rows_of<T>().forward(s, io, packed, first, rows, packed + places.tasks + chunk * places.task_elements);
  });
}

// ------------------------------------------------------------------------------------------------------------ backward

template <class T>
RnnGradient<T>::RnnGradient(const RnnShape& s) : shape_(s) {
  const std::int64_t cols = rnn_gates(s.cell) * s.units, pairs = s.batch * s.steps, stride = rnn_delta_stride<T>(s);
  const RecurrentParts parts = recurrent_parts(s.cell);
  GemmShape product = dense_gemm(s.channels, cols, pairs, true);
  product.ldb = stride;
  dw_x_ = plan_gemm<T>(product);
  for (int i = 0; i < 2; ++i) {
    product = dense_gemm(s.units, parts.part[i].vectors * s.units, pairs, true);
    product.ldb = stride;
    product.ldc = cols;
    dw_h_[i] = plan_gemm<T>(product);
  }
  product = dense_gemm(pairs, s.channels, cols, false, true);
  product.lda = stride;
  dx_ = plan_gemm<T>(product);

  const std::int64_t chunks = std::max<std::int64_t>(1, chunks_of(s));
  const std::size_t room =
      std::max({dw_x_.scratch_bytes, dw_h_[0].scratch_bytes, dw_h_[1].scratch_bytes, dx_.scratch_bytes});
  at_.deltas = whole_lines<T>(rows_of<T>().packed_backward(s));
  at_.states = at_.deltas + pairs * stride;
  at_.state_elements = whole_lines<T>(pairs * s.units);
  at_.db = at_.states + parts.states * at_.state_elements;
  at_.db_elements = whole_lines<T>(rnn_layout(s.cell).deltas * s.units);
  at_.tasks = at_.db + chunks * at_.db_elements;
  at_.task_elements = whole_lines<T>(rows_of<T>().scratch_backward(s));
  at_.end =
      at_.tasks + std::max(chunks * at_.task_elements, whole_lines<T>(static_cast<std::int64_t>(room / sizeof(T))));
}

/// db [bias_rows, G*U] out of the chunks' sums, added in order: the deltas of the inputs' sums, then those of the
/// recurrent ones.
template <class T>
void RnnGradient<T>::store_bias_gradient(T* sums, T* db) const {
  const std::int64_t units = shape_.units, cols = rnn_gates(shape_.cell) * units;
  const std::int64_t deltas = rnn_layout(shape_.cell).deltas * units;
  if (shape_.batch == 0) std::fill_n(sums, deltas, T{0});
  for (std::int64_t chunk = 1; chunk < chunks_of(shape_); ++chunk)
    for (std::int64_t i = 0; i < deltas; ++i) sums[i] += sums[chunk * at_.db_elements + i];
  std::copy_n(sums, cols, db);
  if (shape_.bias_rows == 1) return;
  std::copy_n(sums, 2 * units, db + cols);
  std::copy_n(sums + 3 * units, units, db + cols + 2 * units);
}

template <class T>
void RnnGradient<T>::run(const RnnBackward<T>& io, void* scratch) const {
  const RnnShape& s = shape_;
  const RecurrentParts parts = recurrent_parts(s.cell);
  T* const packed = static_cast<T*>(scratch);
  T* const deltas = packed + at_.deltas;
  T* const states[2] = {packed + at_.states, packed + at_.states + (parts.states - 1) * at_.state_elements};
  T* const tasks = packed + at_.tasks;
  rows_of<T>().pack_backward(s, io.w_h, packed);
  for_chunks(s, rnn_forward_flops(s), [&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    rows_of<T>().backward(s, io, packed, {deltas, {states[0], states[1]}, packed + at_.db + chunk * at_.db_elements},
                          first, rows, tasks + chunk * at_.task_elements);
  });
  store_bias_gradient(packed + at_.db, io.db);

  gemm<T>(dw_x_, io.x, deltas, io.dw_x, {}, tasks);
  for (int i = 0; i < parts.count; ++i) {
    const RecurrentPart& part = parts.part[i];
    gemm<T>(dw_h_[i], states[i], deltas + part.from * s.units, io.dw_h + part.into * s.units, {}, tasks);
  }
  if (io.dx) gemm<T>(dx_, deltas, io.w_x, io.dx, {}, tasks);
}

#define DLCORE_INSTANTIATE(T)                                              \
  template std::size_t rnn_forward_scratch_bytes<T>(const RnnShape&);      \
  template void rnn_forward(const RnnShape&, const RnnForward<T>&, void*); \
  template class RnnGradient<T>;
DLCORE_INSTANTIATE(float)
DLCORE_INSTANTIATE(double)

}  // namespace dlcore
