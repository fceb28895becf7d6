// Fourier transforms.
#include "cuda/kernels/fft.h"
#include "cuda/ops/families.h"
#include "ops/axis.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

Kernel kernel_of(const char* label, DType dtype, const FftShape& s, const Context& context, bool windowed = false) {
  const bool real = s.kind == FftKind::Real, to_real = s.kind == FftKind::RealInverse;
  return {.run =
              [=, &context](const Buffers& b) {
                fft(context.stream, dtype, s, b.in[0], real ? nullptr : b.in[1], windowed ? b.in[1] : nullptr, b.out[0],
                    to_real ? nullptr : b.out[1], b.scratch);
              },
          .scratch_bytes = fft_scratch_bytes(dtype, s),
          .label = label};
}

FftShape along_last(FftKind kind, const Shape& real) {
  return {kind, real.product(0, real.rank() - 1), real.back(), 1};
}

Kernel plan_fft(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const Shape& shape = in[0].shape;
  const AxisView x = view_along(shape, resolve_axis(attrs.integer("axis", -1), shape.rank()));
  return kernel_of("fft", in[0].dtype, {FftKind::Complex, x.outer, x.size, x.inner}, context);
}

Kernel plan_rfft(SpecSpan in, SpecSpan, const Attrs&, const Context& context) {
  return kernel_of("rfft", in[0].dtype, along_last(FftKind::Real, in[0].shape), context);
}

Kernel plan_irfft(SpecSpan in, SpecSpan out, const Attrs&, const Context& context) {
  return kernel_of("irfft", in[0].dtype, along_last(FftKind::RealInverse, out[0].shape), context);
}

Kernel plan_stft(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const Shape& y = out[0].shape;
  return kernel_of("stft", in[0].dtype,
                   {.kind = FftKind::Real,
                    .outer = y.product(0, y.rank() - 1),
                    .n = in[1].shape[0],
                    .frames = y[y.rank() - 2],
                    .step = attrs.integer("step", 1),
                    .length = in[0].shape.back()},
                   context, true);
}

}  // namespace

void register_fourier() {
  register_kernel("fft", plan_fft);
  register_kernel("rfft", plan_rfft);
  register_kernel("irfft", plan_irfft);
  register_kernel("stft", plan_stft);
}

}  // namespace dlcore::cuda
