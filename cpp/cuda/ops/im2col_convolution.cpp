#include "cuda/ops/im2col_convolution.h"

#include <algorithm>

#include "cuda/kernels/gemm.h"
#include "cuda/kernels/im2col.h"

namespace dlcore::cuda {

bool windows_are_pixels(const ConvShape& s) {
  return s.kh * s.kw * s.stride_h * s.stride_w == 1 && s.oh == s.h && s.ow == s.w && s.pad_top == 0 && s.pad_left == 0;
}

Im2colConvolution::Im2colConvolution(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                                     const Context& context)
    : direction_(direction),
      shape_(s),
      dtype_(dtype),
      epilogue_(epilogue),
      context_(context),
      taps_(s.kh * s.kw * s.cin),
      in_place_(windows_are_pixels(s)),
      element_(static_cast<std::int64_t>(size_of(dtype))),
      sums_(dtype) {
  const bool adds_columns = direction == ConvDirection::BackwardInput && !in_place_;
  const std::int64_t column_element = adds_columns ? std::max<std::int64_t>(element_, 4) : element_;
  const std::int64_t pack = 16 / column_element;
  ld_ = in_place_ ? taps_ : (taps_ + pack - 1) / pack * pack;
  const std::int64_t image_bytes = std::max(s.oh * s.ow * ld_, s.h * s.w * s.cin) * column_element;
  const auto most = static_cast<std::int64_t>(context.column_bytes);
  images_ = in_place_ ? s.n : std::clamp<std::int64_t>(most / image_bytes, 1, s.n);
  scratch_.add(in_place_ ? 0 : static_cast<std::size_t>(images_ * s.oh * s.ow * ld_ * column_element));
  const bool adds_products = direction == ConvDirection::BackwardWeights && images_ < s.n;
  if (element_ < 4 && (adds_columns || adds_products)) sums_ = DType::F32;
  if (sums_ != dtype && adds_products)
    wide_weights_ = scratch_.add(static_cast<std::size_t>(taps_ * s.cout) * sizeof(float));
  fused_ = direction == ConvDirection::Forward && gemm_fuses(dtype, epilogue.bias, epilogue.activation);
  for (std::int64_t first = 0; first < s.n; first += images_) {
    const std::int64_t images = std::min(images_, s.n - first);
    if (first < 2 * images_ || images < images_) products_.push_back(plan_gemm(call_of(images, first > 0), context));
    numbers_.push_back(products_.size() - 1);
  }
}

void Im2colConvolution::run(const void* first, const void* second, const void* bias, void* result,
                            void* columns) const {
  void* weights = wide_weights_ ? moved(columns, *wide_weights_) : result;
  ConvShape s = shape_;
  const auto in_bytes = static_cast<std::size_t>(s.h * s.w * s.cin * element_);
  const auto out_bytes = static_cast<std::size_t>(s.oh * s.ow * s.cout * element_);
  std::size_t image = 0;
  for (const std::size_t number : numbers_) {
    s.n = std::min(images_, shape_.n - static_cast<std::int64_t>(image));
    const RunGemm& product = products_[number];
    switch (direction_) {
      case ConvDirection::Forward:
        product(windows(s, moved(first, image * in_bytes), columns), second, bias, moved(result, image * out_bytes));
        break;
      case ConvDirection::BackwardInput: {
        void* dx = moved(result, image * in_bytes);
        product(moved(first, image * out_bytes), second, nullptr, in_place_ ? dx : columns);
        if (!in_place_) col2im(context_.stream, dtype_, s, ld_, columns, dx);
        break;
      }
      case ConvDirection::BackwardWeights:
        product(windows(s, moved(first, image * in_bytes), columns), moved(second, image * out_bytes), nullptr,
                weights);
        break;
    }
    image += static_cast<std::size_t>(s.n);
  }
  if (wide_weights_) round_sums(context_.stream, dtype_, taps_ * s.cout, weights, result);
  if (direction_ == ConvDirection::Forward && !fused_)
    bias_activation(context_.stream, dtype_, shape_.n * s.oh * s.ow, s.cout, bias, epilogue_.activation, result);
}

const void* Im2colConvolution::windows(const ConvShape& s, const void* x, void* columns) const {
  if (in_place_) return x;
  im2col(context_.stream, dtype_, s, ld_, x, columns);
  return columns;
}

GemmCall Im2colConvolution::call_of(std::int64_t images, bool accumulate) const {
  const std::int64_t rows = images * shape_.oh * shape_.ow, cout = shape_.cout;
  GemmCall call;
  switch (direction_) {
    case ConvDirection::Forward:
      call = dense_call(dtype_, rows, cout, taps_);
      call.lda = ld_;
      if (fused_) call.bias = epilogue_.bias, call.activation = epilogue_.activation;
      break;
    case ConvDirection::BackwardInput:
      call = dense_call(dtype_, rows, taps_, cout, false, true);
      call.ldc = ld_;
      break;
    case ConvDirection::BackwardWeights:
      call = dense_call(dtype_, taps_, cout, rows, true, false);
      call.lda = ld_;
      call.accumulate = accumulate;
      break;
  }
  call.result = sums_;
  for (const std::int64_t elements : {shape_.h * shape_.w * shape_.cin, shape_.oh * shape_.ow * cout})
    call.alignment = common_alignment(call.alignment, images_ * elements * element_);
  return call;
}

}  // namespace dlcore::cuda
