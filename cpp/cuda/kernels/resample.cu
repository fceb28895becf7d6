#include "cuda/kernels/resample.h"

#include "cuda/kernels/dispatch.h"
#include "kernels/scratch.h"

namespace dlcore::cuda {

namespace {

/// Inputs [first, last) hold those of an output whose weights are not zero.
struct Band {
  std::int32_t first, last;
};

/// A thread for each output.
template <class T>
__global__ void find_bands(ResampleShape s, const T* w, Band* bands) {
  const std::int64_t j = thread_index();
  if (j >= s.out) return;
  Band band{0, 0};
  for (std::int64_t i = 0; i < s.size; ++i) {
    if (to_math(w[i * s.out + j]) == 0) continue;
    if (band.last == 0) band.first = static_cast<std::int32_t>(i);
    band.last = static_cast<std::int32_t>(i + 1);
  }
  bands[j] = band;
}

template <class X, class W, class Y>
__global__ void resample_kernel(ResampleShape s, std::int64_t n, const X* x, const W* w, const Band* bands, Y* y) {
  const std::int64_t at = thread_index();
  if (at >= n) return;
  const std::int64_t line = at / s.inner, b = at % s.inner, a = line / s.out, j = line % s.out;
  const Band band = bands[j];
  math_t<W> sum = 0;
  for (std::int64_t i = band.first; i < band.last; ++i) {
    const math_t<W> weight = to_math(w[i * s.out + j]);
    if (weight != 0) sum += weight * static_cast<math_t<W>>(to_math(x[(a * s.size + i) * s.inner + b]));
  }
  y[at] = from_math<Y>(sum);
}

std::int64_t elements(const ResampleShape& s) { return s.outer * s.out * s.inner; }

template <class X, class W, class Y>
void run_step(cudaStream_t stream, const ResampleShape& s, const X* x, const void* w, Y* y, Band* bands) {
  const auto* weights = static_cast<const W*>(w);
  launch(find_bands<W>, blocks_for(s.out, kThreads), kThreads, 0, stream, s, weights, bands);
  launch(resample_kernel<X, W, Y>, blocks_for(elements(s), kThreads), kThreads, 0, stream, s, elements(s), x, weights,
         bands, y);
}

}  // namespace

std::size_t resample_scratch_bytes(std::span<const ResampleShape> steps, DType dtype) {
  std::size_t bytes = 0;
  for (const ResampleShape& s : steps) bytes += bytes_of<Band>(s.out);
  if (steps.size() > 1) with_float(dtype, [&]<class T>(T) { bytes += bytes_of<math_t<T>>(elements(steps[0])); });
  return bytes;
}

void resample(cudaStream_t stream, std::span<const ResampleShape> steps, DType x_dtype, DType dtype,
              const void* const* in, void* y, void* scratch) {
  Scratch free(scratch);
  with_float(dtype, [&]<class T>(T) {
    const auto run_on = [&]<class X>(X) {
      const auto* x = static_cast<const X*>(in[0]);
      auto* bands = free.take<Band>(steps[0].out);
      if (steps.size() == 1) return run_step<X, T, T>(stream, steps[0], x, in[1], static_cast<T*>(y), bands);
      auto* between = free.take<math_t<T>>(elements(steps[0]));
      run_step<X, T, math_t<T>>(stream, steps[0], x, in[1], between, bands);
      run_step<math_t<T>, T, T>(stream, steps[1], between, in[2], static_cast<T*>(y), free.take<Band>(steps[1].out));
    };
    if (x_dtype == DType::U8)
      run_on(std::uint8_t{});
    else
      run_on(T{});
  });
}

}  // namespace dlcore::cuda
