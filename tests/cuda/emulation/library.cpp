// The library's computations as plain loops.
#include <cmath>

#include "cuda/library.h"

#include "kernels/conv/conv_ref.h"
#include "kernels/float16.h"
#include "kernels/gemm/gemm_ref.h"

namespace dlcore::cuda {

namespace {

double read(DType dtype, const void* p, std::int64_t i) {
  switch (dtype) {
    case DType::F16:
      return widen(static_cast<const Half*>(p)[i]);
    case DType::BF16:
      return widen(static_cast<const Bfloat*>(p)[i]);
    case DType::F64:
      return static_cast<const double*>(p)[i];
    default:
      return static_cast<const float*>(p)[i];
  }
}
void write(DType dtype, void* p, std::int64_t i, double x) {
  switch (dtype) {
    case DType::F16:
      static_cast<Half*>(p)[i] = narrow<Half>(x);
      break;
    case DType::BF16:
      static_cast<Bfloat*>(p)[i] = narrow<Bfloat>(x);
      break;
    case DType::F64:
      static_cast<double*>(p)[i] = x;
      break;
    default:
      static_cast<float*>(p)[i] = static_cast<float>(x);
  }
}

/// Rounded to 10 bits of mantissa.
double tf32(double x) {
  int exponent;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11);
}

std::vector<double> read_all(DType dtype, const void* p, std::int64_t n) {
  std::vector<double> numbers(n);
  for (std::int64_t i = 0; i < n; ++i) numbers[i] = read(dtype, p, i);
  return numbers;
}

}  // namespace

bool gemm_fuses(DType dtype, bool, Activation activation) {
  return dtype != DType::F64 && (activation == Activation::None || activation == Activation::Relu);
}

RunGemm plan_gemm(const GemmCall& s, const Context&) {
  const auto factor = [s](const void* p, std::int64_t i) {
    return s.tf32 && s.dtype == DType::F32 ? tf32(read(s.dtype, p, i)) : read(s.dtype, p, i);
  };
  return [s, factor](const void* a, const void* b, const void* bias, void* c) {
    for (std::int64_t p = 0; p < s.batch; ++p)
      for (std::int64_t i = 0; i < s.m; ++i)
        for (std::int64_t j = 0; j < s.n; ++j) {
          const std::int64_t at = p * s.stride_c + i * s.ldc + j;
          double sum = s.accumulate ? read(s.result, c, at) : 0;
          for (std::int64_t q = 0; q < s.k; ++q)
            sum += factor(a, p * s.stride_a + (s.transpose_a ? q * s.lda + i : i * s.lda + q)) *
                   factor(b, p * s.stride_b + (s.transpose_b ? j * s.ldb + q : q * s.ldb + j));
          if (s.bias) sum += read(s.dtype, bias, j);
          write(s.result, c, at, activate_ref(sum, s.activation));
        }
  };
}

RunConvolution plan_convolution(ConvDirection direction, const ConvShape& s, DType dtype, const Context&) {
  if (s.dilation_h > 2 || (s.kh == 5 && s.pad_top > 0)) return nullptr;  // declines some, as the library may
  return [=](const void* first, const void* second, void* result) {
    const std::int64_t rows = s.kh * s.kw * s.cin_per_group(), weights = rows * s.cout;
    const std::int64_t images = s.n * s.h * s.w * s.cin, outputs = s.n * s.oh * s.ow * s.cout;
    // Filters [Cout, rows] to [rows, Cout].
    const auto to_hwio = [&](const std::vector<double>& from) {
      std::vector<double> to(weights);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < s.cout; ++c) to[r * s.cout + c] = from[c * rows + r];
      return to;
    };
    const auto store = [&](const std::vector<double>& from) {
      for (std::size_t i = 0; i < from.size(); ++i) write(dtype, result, static_cast<std::int64_t>(i), from[i]);
    };
    if (direction == ConvDirection::BackwardWeights) {
      std::vector<double> dw(weights), filters(weights);
      const auto x = read_all(dtype, first, images), dy = read_all(dtype, second, outputs);
      conv_backward_weights_ref(s, x.data(), dy.data(), dw.data());
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < s.cout; ++c) filters[c * rows + r] = dw[r * s.cout + c];
      return store(filters);
    }
    const auto w = to_hwio(read_all(dtype, second, weights));
    std::vector<double> sums(direction == ConvDirection::Forward ? outputs : images);
    if (direction == ConvDirection::Forward)
      conv_forward_ref(s, read_all(dtype, first, images).data(), w.data(), sums.data());
    else
      conv_backward_input_ref(s, read_all(dtype, first, outputs).data(), w.data(), sums.data());
    store(sums);
  };
}

}  // namespace dlcore::cuda
