// Fourier transforms. A complex tensor is a pair (real part, imaginary part).
#include "ops/fourier.h"

#include "dlcore/ops.h"
#include "ops/checks.h"
#include "ops/families.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

void check_signal(const TensorSpec& x, std::int64_t n) {
  if (x.dtype != DType::F32 && x.dtype != DType::F64)
    throw type_error("x should be float32 or float64; got ", x, ". Cast it first.");
  if (n < 1 || !has_fft(n))
    throw value_error("the transform should be of a known size without prime factors above ", kMostRadix, "; got ", n,
                      " numbers, x is ", x, ".");
}

const TensorSpec& check_pair(SpecSpan in) {
  expect_inputs(in, 2);
  expect_like("the imaginary part", in[1], "the real part", in[0]);
  if (in[0].shape.rank() == 0) throw value_error("x needs at least one axis; got a scalar.");
  return in[0];
}

TensorSpec with_last(TensorSpec x, std::int64_t size) {
  x.shape[x.shape.rank() - 1] = size;
  return x;
}

/// Inputs and outputs are the parts, of Real perhaps x and a window.
template <class T>
Kernel kernel_of(const FftShape& shape, bool windowed) {
  const bool real = shape.kind == FftKind::Real, to_real = shape.kind == FftKind::RealInverse;
  const auto plan = std::make_shared<const FftPlan<T>>(plan_fft<T>(shape));
  auto run = [=](const Buffers& b) {
    fft(*plan, b.input<T>(0), real ? nullptr : b.input<T>(1), windowed ? b.input<T>(1) : nullptr, b.output<T>(0),
        to_real ? nullptr : b.output<T>(1), b.scratch);
  };
  return {.run = run, .scratch_bytes = plan->scratch_bytes, .label = fft_label(shape.kind, windowed)};
}

template <FftLines lines, bool windowed = false>
Kernel plan(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const FftShape shape = lines(in, out, attrs);
  return in[0].dtype == DType::F32 ? kernel_of<float>(shape, windowed) : kernel_of<double>(shape, windowed);
}

/// The gradients of both parts; what does not flow is 0.
std::pair<Tensor, Tensor> both(const VjpContext& c) {
  const Tensor &re = c.dout[0], &im = c.dout[1];
  return {re ? re : ops::zeros_like(im), im ? im : ops::zeros_like(re)};
}

// ------------------------------------------------------------------------------------------------------------- fft

Specs infer_fft(SpecSpan in, const Attrs& attrs) {
  const TensorSpec& x = check_pair(in);
  check_signal(x, x.shape[resolve_axis(attrs.integer("axis", -1), x.shape.rank())]);
  return {x, x};
}

/// By the conjugate matrix, which is the same with the parts exchanged on both sides.
std::vector<Tensor> vjp_fft(const VjpContext& c) {
  const auto [re, im] = both(c);
  const std::vector<Tensor> d = apply_all("fft", std::vector{im, re}, c.attrs);
  return {d[1], d[0]};
}

// ----------------------------------------------------------------------------------------------------- rfft, irfft

/// Of the numbers in a half of n: how many in the whole are equal or conjugate to each.
Tensor weights(std::int64_t n, DType dtype) {
  std::vector<double> count(n / 2 + 1, 2.0);
  count[0] = 1.0;
  if (n % 2 == 0) count.back() = 1.0;
  return ops::cast(Tensor::from<double>(count, {n / 2 + 1}), dtype);
}

Specs infer_rfft(SpecSpan in, const Attrs&) {
  expect_inputs(in, 1);
  const TensorSpec& x = in[0];
  check_signal(x, x.shape.rank() == 0 ? 0 : x.shape.back());
  const TensorSpec half = with_last(x, x.shape.back() / 2 + 1);
  return {half, half};
}

std::vector<Tensor> vjp_rfft(const VjpContext& c) {
  const std::int64_t n = c.in[0].shape().back();
  const Tensor shares = static_cast<double>(n) / weights(n, c.in[0].dtype());
  const auto [re, im] = both(c);
  return {apply("irfft", {re * shares, im * shares}, {{"length", n}})};
}

Specs infer_irfft(SpecSpan in, const Attrs& attrs) {
  const TensorSpec& x = check_pair(in);
  const std::int64_t length = attrs.integer("length", 0);
  check_signal(x, length);
  if (x.shape.back() != length / 2 + 1)
    throw value_error("a transform of ", length, " real numbers begins with ", length / 2 + 1, "; got ", x, ".");
  return {with_last(x, length)};
}

std::vector<Tensor> vjp_irfft(const VjpContext& c) {
  const std::int64_t n = c.attrs.integer("length", 0);
  const Tensor shares = weights(n, c.dout[0].dtype()) / static_cast<double>(n);
  const std::vector<Tensor> d = apply_all("rfft", std::vector{c.dout[0]});
  return {d[0] * shares, d[1] * shares};
}

// ------------------------------------------------------------------------------------------------------------ stft

Specs infer_stft(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  const TensorSpec &x = in[0], &window = in[1];
  const std::int64_t step = attrs.integer("step", 1), n = window.shape.rank() == 1 ? window.shape[0] : 0;
  check_signal(x, n);
  if (window.dtype != x.dtype || step < 1 || x.shape.rank() == 0 || x.shape.back() < n)
    throw value_error("the window should be one axis of numbers like x, no longer than x, and step at least 1; got x ",
                      x, ", window ", window, ", step = ", step, ".");
  TensorSpec half = with_last(x, (x.shape.back() - n) / step + 1);
  half.shape.push_back(n / 2 + 1);
  return {half, half};
}

}  // namespace

void register_fourier() {
  register_primitive({.name = "fft", .infer = infer_fft, .plan = plan<fft_lines>, .vjp = vjp_fft});
  register_primitive({.name = "rfft", .infer = infer_rfft, .plan = plan<rfft_lines>, .vjp = vjp_rfft});
  // The gradient of this one is written in Python (python/dlcore/ops/signal.py).
  register_primitive({.name = "stft", .infer = infer_stft, .plan = plan<stft_lines, true>});
  register_primitive({.name = "irfft", .infer = infer_irfft, .plan = plan<irfft_lines>, .vjp = vjp_irfft});
}

}  // namespace dlcore
