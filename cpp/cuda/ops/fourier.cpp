#include "ops/fourier.h"

#include "cuda/kernels/fft.h"
#include "cuda/ops/families.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

template <FftLines lines, bool windowed = false>
Kernel plan(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const FftShape s = lines(in, out, attrs);
  const bool real = s.kind == FftKind::Real, to_real = s.kind == FftKind::RealInverse;
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                fft(context.stream, dtype, s, b.in[0], real ? nullptr : b.in[1], windowed ? b.in[1] : nullptr, b.out[0],
                    to_real ? nullptr : b.out[1], b.scratch);
              },
          .scratch_bytes = fft_scratch_bytes(in[0].dtype, s),
          .label = fft_label(s.kind, windowed)};
}

}  // namespace

void register_fourier() {
  register_kernel("fft", plan<fft_lines>);
  register_kernel("rfft", plan<rfft_lines>);
  register_kernel("irfft", plan<irfft_lines>);
  register_kernel("stft", plan<stft_lines, true>);
}

}  // namespace dlcore::cuda
