#include "kernels/rnn/rnn.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/cpu.h"
#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/pointwise/pointwise.h"
#include "kernels/rnn/rounded_steps.h"
#include "kernels/rnn/rows.h"
#include "kernels/scratch.h"

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

std::int64_t rnn_input_rows(const std::int32_t* inverse, std::int64_t pairs) {
  std::int64_t rows = 0;
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    if (inverse[pair] < 0 || inverse[pair] > rows) return -1;
    rows += inverse[pair] == rows;
  }
  return rows;
}

std::int64_t rnn_workspace_size(const RnnShape& s) { return rnn_layout(s.cell).saved * s.units; }

double rnn_forward_flops(const RnnShape& s) {
  return 2.0 * static_cast<double>(s.batch * s.steps * rnn_gates(s.cell) * s.units * (s.channels + s.units));
}
double rnn_backward_flops(const RnnShape& s) { return 2 * rnn_forward_flops(s); }

// ------------------------------------------------------------------------------------------------ rounded products

namespace {

bool may_round(const RnnShape& s) { return s.bfloat_products && gemm_bfloat_kernels(); }

/// Whether rounding operands to bfloat16 takes less time than so many products of each of their elements save.
template <class T>
bool pays_to_round(const RnnShape& s, std::int64_t products) {
  constexpr std::int64_t kLeastProducts = 128;
  return sizeof(T) == 4 && may_round(s) && products >= kLeastProducts;
}

std::int64_t pairs_of(const RnnShape& s) { return s.batch * s.steps; }

/// Numbers as T, which operands of products are as P: themselves, or rounded in scratch.
template <class P, class T>
const P* operand(const T* numbers, std::int64_t count, Scratch& free) {
  if constexpr (std::is_same_v<P, T>) {
    return numbers;
  } else {
    P* const rounded = free.take<P>(count);
    convert(DType::F32, numbers, DType::BF16, rounded, count);
    return rounded;
  }
}
/// Where a product of them goes, and that into the result.
template <class P, class T>
P* product(T* result, std::int64_t count, Scratch& free) {
  if constexpr (std::is_same_v<P, T>)
    return result;
  else
    return free.take<P>(count);
}
template <class P, class T>
void store_product(const P* product, std::int64_t count, T* result) {
  if constexpr (!std::is_same_v<P, T>) convert(DType::BF16, product, DType::F32, result, count);
}

// ---- those with the recurrent weights

std::int64_t chunks_of(const RnnShape& s) { return ceil_div(s.batch, rnn_chunk_rows(s)); }

/// Chunks that read the recurrent weights at once, where those are beyond the first cache; as many passes as threads
/// are left.
template <class T>
std::int64_t chunks_together(const RnnShape& s) {
  constexpr std::int64_t kRows = 16;  // hide the reading
  if (bytes_of<T>(rnn_cols(s) * s.units) <= cache_sizes().l1d) return 1;
  const std::int64_t most = std::max<std::int64_t>(1, chunks_of(s) / num_threads());
  return std::clamp<std::int64_t>(kRows / rnn_chunk_rows(s), 1, most);
}

/// The shape with what is set here.
template <class T>
RnnShape completed(RnnShape s) {
  s.most_input_rows = std::min(s.most_input_rows, pairs_of(s));
  if (sizeof(T) == 4 && may_round(s)) s.chunk_rows = rounded_step_rows(s);
  if (s.chunk_rows == 0) s.together = chunks_together<T>(s);
  return s;
}

/// Null where the rows multiply themselves.
std::shared_ptr<const RoundedSteps> plan_steps(const RnnShape& s, const std::vector<StepProduct>& products) {
  return s.chunk_rows > 0 ? std::make_shared<const RoundedSteps>(s, products) : nullptr;
}
std::size_t bytes_of_steps(const std::shared_ptr<const RoundedSteps>& steps) {
  return steps ? steps->scratch_bytes() : 0;
}

/// body(what multiplies at each step), in scratch of so many bytes.
template <class T, class Body>
void with_steps([[maybe_unused]] const RoundedSteps* steps, [[maybe_unused]] const T* w_h,
                [[maybe_unused]] void* scratch, const Body& body) {
  if constexpr (std::is_same_v<T, float>) {
    if (steps) {
      const RoundedSteps::Run run(*steps, w_h, scratch);
      return body(&run);
    }
  }
  body(nullptr);
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------- forward

namespace {

std::int64_t passes_of(const RnnShape& s) { return ceil_div(s.batch, rnn_pass_rows(s)); }

/// body(pass, its first row, rows) for all batch rows.
template <class Body>
void for_passes(const RnnShape& s, double flops, const Body& body) {
  const std::int64_t rows = rnn_pass_rows(s);
  parallel_for(passes_of(s), flops / kFlopsPerNanosecond,
               [&](std::int64_t pass) { body(pass, pass * rows, std::min(rows, s.batch - pass * rows)); });
}

}  // namespace

template <class T>
RnnLayer<T>::RnnLayer(const RnnShape& shape)
    : shape_(completed<T>(shape)),
      rounds_(pays_to_round<T>(shape, shape.channels)),
      steps_(plan_steps(shape_, forward_products(shape_))) {
  const RnnShape& s = shape_;
  std::size_t product_bytes = 0;
  if (rounds_)
    product_bytes = plan_x_products<Bfloat>();
  else if (s.most_input_rows > 0)
    product_bytes = plan_x_products<T>();
  at_.packed = at_.steps + bytes_of_steps(steps_);
  at_.tasks = at_.packed + bytes_of<T>(rows_of<T>().packed_forward(s));
  at_.task_bytes = bytes_of<T>(rows_of<T>().scratch_forward(s));
  at_.end = std::max(at_.tasks + static_cast<std::size_t>(passes_of(s)) * at_.task_bytes, at_.steps + product_bytes);
}

/// Returns the bytes of scratch that they need behind themselves.
template <class T>
template <class P>
std::size_t RnnLayer<T>::plan_x_products() {
  const RnnShape& s = shape_;
  const std::int64_t most = std::is_same_v<P, T> ? s.most_input_rows : pairs_of(s);
  x_products_ = RowPlans(most, s.most_input_rows,
                         [&](std::int64_t rows) { return plan_gemm<P>(dense_gemm(rows, rnn_cols(s), s.channels)); });
  at_.steps = bytes_of<P>(most * rnn_cols(s));
  const std::size_t operands =
      std::is_same_v<P, T> ? 0 : bytes_of<P>(pairs_of(s) * s.channels) + bytes_of<P>(s.channels * rnn_cols(s));
  return operands + x_products_.scratch_bytes();
}

template <class T>
template <class P>
const P* RnnLayer<T>::multiply_inputs(const RnnForward<T>& io, std::byte* scratch) const {
  const RnnShape& s = shape_;
  const std::int64_t rows = io.inverse ? x_products_.rounded_up(io.input_rows) : pairs_of(s);
  P* const products = reinterpret_cast<P*>(scratch);
  Scratch free(scratch + at_.steps);
  const P* const x = operand<P>(io.x, rows * s.channels, free);
  const P* const w_x = operand<P>(io.w_x, s.channels * rnn_cols(s), free);
  gemm<P>(x_products_.of(rows), x, w_x, products, {}, free.template take<std::byte>(0));
  return products;
}

template <class T>
void RnnLayer<T>::run(const RnnForward<T>& given, void* scratch) const {
  const RnnShape& s = shape_;
  RnnForward<T> io = given;
  std::byte* const bytes = static_cast<std::byte*>(scratch);
  if (io.input_rows == pairs_of(s)) io.inverse = nullptr;  // each row of x is in its place
  if (rounds_)
    io.rounded_x_products = multiply_inputs<Bfloat>(io, bytes);
  else if (io.inverse)
    io.x_products = multiply_inputs<T>(io, bytes);
  const bool packs_w_x = !io.x_products && !io.rounded_x_products;
  T* const packed = reinterpret_cast<T*>(bytes + at_.packed);
  with_steps(steps_.get(), io.w_h, bytes + at_.steps, [&](const RnnSteps<T>* steps) {
    io.steps = steps;
    rows_of<T>().pack_forward(s, packs_w_x ? io.w_x : nullptr, steps ? nullptr : io.w_h, packed);
    for_passes(s, rnn_forward_flops(s), [&](std::int64_t pass, std::int64_t first, std::int64_t rows) {
      auto* const task = reinterpret_cast<T*>(bytes + at_.tasks + static_cast<std::size_t>(pass) * at_.task_bytes);
      rows_of<T>().forward(s, io, packed, first, rows, task);
    });
  });
}

// ------------------------------------------------------------------------------------------------------------ backward

template <class T>
template <class P>
void RnnGradient<T>::plan_products() {
  const RnnShape& s = shape_;
  const std::int64_t cols = rnn_cols(s), pairs = pairs_of(s), stride = rnn_delta_stride<T>(s);
  const RecurrentParts parts = recurrent_parts(s.cell);
  const auto plan = [](GemmShape shape, std::int64_t lda, std::int64_t ldb, std::int64_t ldc) {
    shape.lda = lda, shape.ldb = ldb, shape.ldc = ldc;
    return plan_gemm<P>(shape);
  };
  dw_x_ = RowPlans(pairs, s.most_input_rows, [&](std::int64_t rows) {
    return plan(dense_gemm(s.channels, cols, rows, true), s.channels, stride, cols);
  });
  dx_ = RowPlans(pairs, s.most_input_rows, [&](std::int64_t rows) {
    return plan(dense_gemm(rows, s.channels, cols, false, true), stride, cols, s.channels);
  });
  for (int i = 0; i < 2; ++i)
    dw_h_[i] = plan(dense_gemm(s.units, parts.part[i].vectors * s.units, pairs, true), s.units, stride, cols);
  product_bytes_ =
      std::max({dw_x_.scratch_bytes(), dw_h_[0].scratch_bytes, dw_h_[1].scratch_bytes, dx_.scratch_bytes()});
  if (std::is_same_v<P, T>) return;
  // Deltas, then for dw_x, dw_h or dx their other operands and the result.
  const std::size_t dw_x = bytes_of<P>(pairs * s.channels) + bytes_of<P>(s.channels * cols);
  const std::size_t dw_h = parts.states * bytes_of<P>(pairs * s.units) + bytes_of<P>(s.units * cols);
  product_bytes_ += bytes_of<P>(pairs * stride) + std::max(dw_x, dw_h);
}

template <class T>
RnnGradient<T>::RnnGradient(const RnnShape& shape)
    : shape_(completed<T>(shape)),
      rounds_(pays_to_round<T>(shape, shape.channels + shape.units)),
      steps_(plan_steps(shape_, backward_products(shape_))) {
  const RnnShape& s = shape_;
  if constexpr (std::is_same_v<T, float>)
    rounds_ ? plan_products<Bfloat>() : plan_products<T>();
  else
    plan_products<T>();
  const std::int64_t chunks = std::max<std::int64_t>(1, chunks_of(s));
  const RecurrentParts parts = recurrent_parts(s.cell);
  at_.deltas = whole_lines<T>(rows_of<T>().packed_backward(s));
  at_.states = at_.deltas + pairs_of(s) * rnn_delta_stride<T>(s);
  at_.state_elements = whole_lines<T>(pairs_of(s) * s.units);
  at_.db = at_.states + parts.states * at_.state_elements;
  at_.db_elements = whole_lines<T>(rnn_layout(s.cell).deltas * s.units);
  at_.tasks = at_.db + chunks * at_.db_elements;
  at_.task_elements = whole_lines<T>(rows_of<T>().scratch_backward(s));
  at_.end = at_.tasks + std::max(passes_of(s) * at_.task_elements,
                                 whole_lines<T>(ceil_div(static_cast<std::int64_t>(product_bytes_), sizeof(T))));
}

/// db [bias_rows, G*U] out of the chunks' sums, added in order: the deltas of the inputs' sums, then those of the
/// recurrent ones.
template <class T>
void RnnGradient<T>::store_bias_gradient(T* sums, T* db) const {
  const std::int64_t units = shape_.units, cols = rnn_cols(shape_);
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
void RnnGradient<T>::run(const RnnBackward<T>& given, void* scratch) const {
  const RnnShape& s = shape_;
  RnnBackward<T> io = given;
  if (io.input_rows == pairs_of(s)) io.inverse = nullptr;
  const RecurrentParts parts = recurrent_parts(s.cell);
  T* const packed = reinterpret_cast<T*>(static_cast<std::byte*>(scratch) + bytes_of_steps(steps_));
  T* const deltas = packed + at_.deltas;
  T* const states[2] = {packed + at_.states, packed + at_.states + (parts.states - 1) * at_.state_elements};
  T* const tasks = packed + at_.tasks;
  with_steps(steps_.get(), io.w_h, scratch, [&](const RnnSteps<T>* steps) {
    io.steps = steps;
    if (!steps) rows_of<T>().pack_backward(s, io.w_h, packed);
    for_passes(s, rnn_forward_flops(s), [&](std::int64_t pass, std::int64_t first, std::int64_t rows) {
      T* const db = packed + at_.db + pass * s.together * at_.db_elements;
      rows_of<T>().backward(s, io, packed, {deltas, {states[0], states[1]}, db, at_.db_elements}, first, rows,
                            tasks + pass * at_.task_elements);
    });
  });
  store_bias_gradient(packed + at_.db, io.db);

  if constexpr (std::is_same_v<T, float>)
    if (rounds_) return run_products<Bfloat>(io, deltas, {states[0], states[1]}, tasks);
  run_products<T>(io, deltas, {states[0], states[1]}, tasks);
}

template <class T>
template <class P>
void RnnGradient<T>::run_products(const RnnBackward<T>& io, T* delta_rows, const T* const (&state_rows)[2],
                                  void* scratch) const {
  const RnnShape& s = shape_;
  const std::int64_t cols = rnn_cols(s), pairs = pairs_of(s), stride = rnn_delta_stride<T>(s);
  const std::int64_t weights = s.channels * cols;
  const RecurrentParts parts = recurrent_parts(s.cell);
  Scratch free(scratch);
  const P* deltas = operand<P>(delta_rows, pairs * stride, free);
  {
    Scratch own = free;
    const P* states[2];
    for (int i = 0; i < parts.states; ++i) states[i] = operand<P>(state_rows[i], pairs * s.units, own);
    P* const dw_h = product<P>(io.dw_h, s.units * cols, own);
    for (int i = 0; i < parts.count; ++i) {
      const RecurrentPart& part = parts.part[i];
      gemm<P>(dw_h_[i], states[std::min(i, parts.states - 1)], deltas + part.from * s.units, dw_h + part.into * s.units,
              {}, own.template take<std::byte>(0));
    }
    store_product(dw_h, s.units * cols, io.dw_h);
  }
  std::int64_t rows = pairs;
  if (io.inverse) {
    rows = dw_x_.rounded_up(io.input_rows);
    rows_of<T>().merge_deltas(s, io.inverse, rows, delta_rows);
    free = Scratch(scratch);
    deltas = operand<P>(delta_rows, rows * stride, free);
  }
  {
    Scratch own = free;
    const P* const x = operand<P>(io.x, rows * s.channels, own);
    P* const dw_x = product<P>(io.dw_x, weights, own);
    gemm<P>(dw_x_.of(rows), x, deltas, dw_x, {}, own.template take<std::byte>(0));
    store_product(dw_x, weights, io.dw_x);
  }
  if (io.dx) {
    Scratch own = free;
    const P* const w_x = operand<P>(io.w_x, weights, own);
    P* const dx = product<P>(io.dx, rows * s.channels, own);
    gemm<P>(dx_.of(rows), deltas, w_x, dx, {}, own.template take<std::byte>(0));
    store_product(dx, rows * s.channels, io.dx);
    std::fill_n(io.dx + rows * s.channels, (pairs - rows) * s.channels, T{0});
  }
}

template <class T>
std::size_t RnnGradient<T>::scratch_bytes() const {
  return bytes_of_steps(steps_) + sizeof(T) * static_cast<std::size_t>(at_.end);
}

template class RnnLayer<float>;
template class RnnLayer<double>;
template class RnnGradient<float>;
template class RnnGradient<double>;

}  // namespace dlcore
