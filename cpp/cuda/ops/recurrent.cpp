// LSTM, GRU and the simple recurrent network over whole sequences. The inputs of all steps are one product. The steps
// are one kernel where the recurrent weights fit into a multiprocessor, else each is a product with h and a kernel.
// Backward, the steps leave the gradients of the sums in their gates ("deltas") behind, and those of all steps together
// give the weights' and the inputs' gradients as a few large products.
#include "ops/recurrent.h"

#include "cuda/kernels/movement.h"
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/rnn.h"
#include "cuda/kernels/rnn_fused.h"
#include "cuda/library.h"
#include "cuda/ops/families.h"
#include "cuda/ops/scratch.h"
#include "kernels/rnn/rows.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// Elements of one dtype.
class Elements {
 public:
  explicit Elements(DType dtype) : bytes_(static_cast<std::int64_t>(size_of(dtype))) {}
  std::size_t bytes(std::int64_t count) const { return static_cast<std::size_t>(count * bytes_); }
  const void* at(const void* p, std::int64_t i) const { return static_cast<const std::byte*>(p) + i * bytes_; }
  void* at(void* p, std::int64_t i) const { return static_cast<std::byte*>(p) + i * bytes_; }

 private:
  std::int64_t bytes_;
};

/// Plans the products of a layer.
struct Products {
  DType dtype;
  std::int64_t units;
  bool narrow;  // kNarrowProducts
  const Context& context;

  Products(const RnnShape& s, DType dtype, const Attrs& attrs, const Context& context)
      : dtype(dtype), units(s.units), narrow(attrs.boolean(kNarrowProducts, false)), context(context) {}

  /// C[m,n] = A B, all of them whole.
  RunGemm dense(std::int64_t m, std::int64_t n, std::int64_t k) const {
    GemmCall call = dense_call(dtype, m, n, k);
    call.tf32 = narrow;
    return plan_gemm(call, context);
  }
  /// C[m,n] (+)= op(A) op(B) with rows the given distances apart; operands begin at multiples of `units` elements.
  RunGemm operator()(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b,
                     std::int64_t lda, std::int64_t ldb, std::int64_t ldc, bool accumulate = false) const {
    GemmCall call = dense_call(dtype, m, n, k, transpose_a, transpose_b);
    call.lda = lda, call.ldb = ldb, call.ldc = ldc;
    call.accumulate = accumulate;
    call.tf32 = narrow;
    call.alignment = common_alignment(call.alignment, units * static_cast<std::int64_t>(size_of(dtype)));
    return plan_gemm(call, context);
  }
};

std::int64_t time_of(const RnnShape& s, std::int64_t step) { return s.reverse ? s.steps - 1 - step : step; }

/// Columns of w_h: `vectors` of them from `into` on multiply one of the saved vectors; their deltas start at `from`.
struct Part {
  int saved, from, into, vectors;
};
std::vector<Part> parts_of(RnnCell cell) {
  const RnnLayout layout = rnn_layout(cell);
  switch (cell) {
    case RnnCell::GruResetAfter:
      return {{layout.h_before, 0, 0, 2}, {layout.h_before, 3, 2, 1}};
    case RnnCell::GruResetBefore:
      return {{layout.h_before, 0, 0, 2}, {layout.reset, 2, 2, 1}};
    default:
      return {{layout.h_before, 0, 0, rnn_gates(cell)}};
  }
}

const char* name_of(RnnFamily family, bool grad) {
  switch (family) {
    case RnnFamily::Lstm:
      return grad ? "lstm_grad" : "lstm";
    case RnnFamily::Gru:
      return grad ? "gru_grad" : "gru";
    default:
      return grad ? "simple_rnn_grad" : "simple_rnn";
  }
}

/// The pass that gives layers an inverse is for the processor.
RnnShape without_inverse(const RnnShape& s) {
  if (s.most_input_rows > 0)
    throw Error(ErrorKind::NotImplemented, "recurrent layers with an inverse run on the processor only.");
  return s;
}

// ------------------------------------------------------------------------------------------------------------- forward

template <RnnFamily family>
Kernel plan_forward(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const RnnShape s = without_inverse(rnn_forward_shape(family, in, attrs));
  const DType dtype = in[0].dtype;
  const Elements elements(dtype);
  const int states = rnn_state_count(family);
  const bool has_mask = rnn_inputs(family, in.size(), attrs).mask >= 0;
  const bool keeps = out.back().shape.elements() > 0, before = s.cell == RnnCell::GruResetBefore;
  const std::int64_t cols = rnn_gates(s.cell) * s.units, state = s.batch * s.units;
  const std::int64_t saved_size = rnn_workspace_size(s) * s.batch;
  Kernel kernel{.run = {}, .label = name_of(family, false), .flops = rnn_forward_flops(s)};
  const auto start = [=, &context](const Buffers& b) {
    for (int i = 0; i < states; ++i) copy_bytes(context.stream, b.in[4 + i], b.out[1 + i], elements.bytes(state));
  };
  if (s.steps * state == 0) {
    kernel.run = start;
    return kernel;
  }
  ScratchPlan scratch;
  const std::size_t z = scratch.add(elements.bytes(s.batch * s.steps * cols));
  const Products product(s, dtype, attrs, context);
  const RunGemm project = product.dense(s.batch * s.steps, cols, s.channels);
  if (rnn_is_fused(s, dtype, context.shared_bytes)) {
    kernel.scratch_bytes = scratch.bytes();
    kernel.run = [=, &context](const Buffers& b) {
      project(b.in[0], b.in[1], nullptr, at(b, z));
      rnn_fused_forward(context.stream, s, context.sm_count,
                        {.z = at<float>(b, z),
                         .w_h = b.input<float>(2),
                         .b = b.input<float>(3),
                         .h0 = b.input<float>(4),
                         .c0 = states == 2 ? b.input<float>(5) : nullptr,
                         .mask = has_mask ? b.input<std::uint8_t>(4 + states) : nullptr,
                         .y = b.output<float>(0),
                         .h_T = b.output<float>(1),
                         .c_T = states == 2 ? b.output<float>(2) : nullptr,
                         .saved = keeps ? b.output<float>(1 + states) : nullptr});
    };
    return kernel;
  }
  const std::size_t zh = scratch.add(elements.bytes(s.batch * cols));
  const std::size_t reset = scratch.add(before ? elements.bytes(state) : 0);
  const std::size_t saved = scratch.add(before && !keeps ? elements.bytes(saved_size) : 0);
  const std::int64_t units = s.units, gate_cols = before ? 2 * units : cols;
  const RunGemm recur = product(s.batch, gate_cols, units, false, false, units, cols, cols);
  const RunGemm recur_reset = before ? product(s.batch, units, units, false, false, units, cols, cols) : nullptr;
  kernel.scratch_bytes = scratch.bytes();
  kernel.run = [=, &context](const Buffers& b) {
    start(b);
    project(b.in[0], b.in[1], nullptr, at(b, z));
    RnnStep step{0,        0,
                 at(b, z), at(b, zh),
                 b.in[3],  has_mask ? b.input<bool>(4 + states) : nullptr,
                 b.out[1], states == 2 ? b.out[2] : nullptr,
                 nullptr,  at(b, reset),
                 b.out[0]};
    for (step.step = 0; step.step < s.steps; ++step.step) {
      step.time = time_of(s, step.step);
      step.saved = keeps ? elements.at(b.out[1 + states], step.step * saved_size) : before ? at(b, saved) : nullptr;
      recur(step.h, b.in[2], nullptr, at(b, zh));
      if (before) {
        rnn_gates_forward(context.stream, dtype, s, step);
        recur_reset(step.reset, elements.at(b.in[2], 2 * units), nullptr, elements.at(at(b, zh), 2 * units));
      }
      rnn_step_forward(context.stream, dtype, s, step);
    }
  };
  return kernel;
}

// ------------------------------------------------------------------------------------------------------------ gradient

/// x [B,T,C] with the steps outermost, in their order; or back.
StridedCopy step_order(const RnnShape& s, DType dtype, bool back) {
  const std::int64_t element = static_cast<std::int64_t>(size_of(dtype)), row = s.channels * element;
  StridedCopy copy;
  copy.element = static_cast<int>(element);
  const std::int64_t along = s.reverse ? -row : row, first = s.reverse ? (s.steps - 1) * row : 0;
  (back ? copy.out_offset : copy.in_offset) = first;
  const auto add = [&](std::int64_t n, std::int64_t in_x, std::int64_t in_steps) {
    copy.add_axis(n, back ? in_steps : in_x, back ? in_x : in_steps);
  };
  add(s.steps, along, s.batch * row);
  add(s.batch, s.steps * row, row);
  add(s.channels, element, element);
  return simplify(copy);
}

/// What flows in from behind the last step.
void start_backward(const RnnShape& s, const RnnGradInputs& inputs, int states, const Elements& elements,
                    const Context& context, const Buffers& b) {
  const std::size_t bytes = elements.bytes(s.batch * s.units);
  const int given[] = {inputs.dh_T, inputs.dc_T};
  for (int i = 0; i < states; ++i)
    if (given[i] >= 0)
      copy_bytes(context.stream, b.in[given[i]], b.out[4 + i], bytes);
    else
      zero_bytes(context.stream, b.out[4 + i], bytes);
}

/// Leaves the deltas of all steps at `deltas`, in their order, and dh0 and dc0.
using RunSteps = std::function<void(const Buffers&)>;

RunSteps plan_steps_back(const RnnShape& s, const RnnGradInputs& inputs, const Products& product, std::size_t deltas,
                         ScratchPlan& scratch) {
  const Context& context = product.context;
  const DType dtype = product.dtype;
  const Elements elements(dtype);
  const RnnLayout layout = rnn_layout(s.cell);
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units, wide = layout.deltas * units;
  const std::int64_t state = s.batch * units, saved = layout.saved * units;
  const bool before = s.cell == RnnCell::GruResetBefore;
  const int states = s.cell == RnnCell::Lstm ? 2 : 1;
  const std::size_t carried = scratch.add(inputs.mask >= 0 ? elements.bytes(state) : 0);
  const std::size_t dreset = scratch.add(before ? elements.bytes(state) : 0);
  const std::vector<Part> parts = parts_of(s.cell);
  std::vector<RunGemm> back;  // by part: into dh (GruResetBefore's second: dreset)
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool into_reset = before && i == 1;
    back.push_back(product(s.batch, units, parts[i].vectors * units, false, true, wide, cols, units, !into_reset));
  }
  return [=, &context](const Buffers& b) {
    start_backward(s, inputs, states, elements, context, b);
    if (inputs.mask >= 0) zero_bytes(context.stream, at(b, carried), elements.bytes(state));
    RnnBackStep step{};
    step.mask = inputs.mask < 0 ? nullptr : b.input<bool>(inputs.mask);
    step.dy = inputs.dy < 0 ? nullptr : b.in[inputs.dy];
    step.dh = b.out[4];
    step.dc = states == 2 ? b.out[5] : nullptr;
    step.carried = at(b, carried);
    step.dreset = at(b, dreset);
    const auto multiply = [&](std::size_t i, void* to) {
      back[i](elements.at(step.deltas, parts[i].from * units), elements.at(b.in[2], parts[i].into * units), nullptr,
              to);
    };
    for (step.step = s.steps - 1; step.step >= 0; --step.step) {
      step.time = time_of(s, step.step);
      step.saved = elements.at(b.in[3], step.step * s.batch * saved);
      step.deltas = elements.at(at(b, deltas), step.step * s.batch * wide);
      rnn_step_backward(context.stream, dtype, s, step);
      if (before) {
        multiply(1, at(b, dreset));
        rnn_gates_backward(context.stream, dtype, s, step);
      } else if (parts.size() == 2) {
        multiply(1, step.dh);
      }
      multiply(0, step.dh);
    }
  };
}

/// Also leaves the deltas at `as_x`, in x's order.
RunSteps plan_fused_steps_back(const RnnShape& s, const RnnGradInputs& inputs, std::size_t deltas, std::size_t as_x,
                               const Context& context) {
  return [=, &context](const Buffers& b) {
    const auto given = [&](int input) { return input < 0 ? nullptr : b.input<float>(input); };
    rnn_fused_backward(context.stream, s, context.sm_count,
                       {.w_h = b.input<float>(2),
                        .saved = b.input<float>(3),
                        .mask = inputs.mask < 0 ? nullptr : b.input<std::uint8_t>(inputs.mask),
                        .dy = given(inputs.dy),
                        .dh_T = given(inputs.dh_T),
                        .dc_T = given(inputs.dc_T),
                        .deltas = at<float>(b, deltas),
                        .deltas_as_x = at<float>(b, as_x),
                        .dh0 = b.output<float>(4),
                        .dc0 = s.cell == RnnCell::Lstm ? b.output<float>(5) : nullptr});
  };
}

template <RnnFamily family>
Kernel plan_grad(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const RnnShape s = without_inverse(rnn_grad_shape(family, in, attrs));
  const RnnGradInputs inputs = rnn_grad_inputs(family, attrs);
  const DType dtype = in[0].dtype;
  const Elements elements(dtype);
  const RnnLayout layout = rnn_layout(s.cell);
  const std::int64_t units = s.units, cols = rnn_gates(s.cell) * units, wide = layout.deltas * units;
  const std::int64_t rows = s.steps * s.batch, saved = layout.saved * units;
  const bool needs_dx = attrs.boolean("needs_dx", true);
  Kernel kernel{.run = {}, .label = name_of(family, true), .flops = rnn_backward_flops(s)};
  if (rows == 0) {
    std::vector<std::size_t> bytes;
    for (int i = 0; i < 4; ++i) bytes.push_back(out[i].bytes());
    kernel.run = [=, &context](const Buffers& b) {
      start_backward(s, inputs, rnn_state_count(family), elements, context, b);
      for (int i = 0; i < 4; ++i) zero_bytes(context.stream, b.out[i], bytes[i]);
    };
    return kernel;
  }
  // Workspace and deltas have the steps' order. Where deltas meet x, either is needed in the other's order.
  const bool fused = rnn_is_fused(s, dtype, context.shared_bytes);
  const Products product(s, dtype, attrs, context);
  ScratchPlan scratch;
  const std::size_t deltas = scratch.add(elements.bytes(rows * wide));
  const std::size_t as_x = fused ? scratch.add(elements.bytes(rows * wide)) : deltas;
  const std::size_t ordered = scratch.add(fused ? 0 : elements.bytes(rows * s.channels));  // x, then dx
  const ReduceShape sum_rows(1, rows, wide, context.sm_count);
  const std::size_t bias = scratch.add(elements.bytes(wide));
  const std::size_t partials = scratch.add(sum_rows.scratch_bytes());
  const RunSteps steps = fused ? plan_fused_steps_back(s, inputs, deltas, as_x, context)
                               : plan_steps_back(s, inputs, product, deltas, scratch);

  const std::vector<Part> parts = parts_of(s.cell);
  std::vector<RunGemm> dw_h;
  for (const Part& part : parts)
    dw_h.push_back(product(units, part.vectors * units, rows, true, false, saved, wide, cols));
  const RunGemm dw_x = product(s.channels, cols, rows, true, false, s.channels, wide, cols);
  const RunGemm dx = needs_dx ? product(rows, s.channels, cols, false, true, wide, cols, s.channels) : nullptr;
  const StridedCopy to_steps = step_order(s, dtype, false), from_steps = step_order(s, dtype, true);

  kernel.scratch_bytes = scratch.bytes();
  kernel.run = [=, &context](const Buffers& b) {
    steps(b);
    const void* x = fused ? b.in[0] : at(b, ordered);
    if (!fused) strided_copy(context.stream, to_steps, b.in[0], at(b, ordered));
    dw_x(x, at(b, as_x), nullptr, b.out[1]);
    for (std::size_t i = 0; i < parts.size(); ++i)
      dw_h[i](elements.at(b.in[3], parts[i].saved * units), elements.at(at(b, deltas), parts[i].from * units), nullptr,
              elements.at(b.out[2], parts[i].into * units));
    if (needs_dx) dx(at(b, as_x), b.in[1], nullptr, fused ? b.out[0] : at(b, ordered));
    if (needs_dx && !fused) strided_copy(context.stream, from_steps, at(b, ordered), b.out[0]);
    // db [bias_rows, G*U] has the deltas of the inputs' sums, then those of the recurrent ones.
    const bool direct = wide == cols;
    reduce(context.stream, ReduceOp::Sum, dtype, sum_rows, ReduceFinish::None, false, at(b, deltas), nullptr,
           direct ? b.out[3] : at(b, bias), at(b, partials));
    if (direct) return;
    copy_bytes(context.stream, at(b, bias), b.out[3], elements.bytes(cols));
    if (s.bias_rows == 1) return;
    copy_bytes(context.stream, at(b, bias), elements.at(b.out[3], cols), elements.bytes(2 * units));
    copy_bytes(context.stream, elements.at(at(b, bias), 3 * units), elements.at(b.out[3], cols + 2 * units),
               elements.bytes(units));
  };
  return kernel;
}

template <RnnFamily family>
void add() {
  register_kernel(name_of(family, false), plan_forward<family>);
  register_kernel(name_of(family, true), plan_grad<family>);
}

}  // namespace

void register_recurrent() {
  add<RnnFamily::Lstm>();
  add<RnnFamily::Gru>();
  add<RnnFamily::Simple>();
}

}  // namespace dlcore::cuda
