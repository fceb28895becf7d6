#include "kernels/conv/amx.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/scratch.h"

namespace dlcore {

#if defined(DLCORE_AMX_BF16)
namespace amx_bf16 {
extern const AmxConvKernels amx_conv_kernels_table;
}
#endif

namespace {

const AmxConvKernels* amx_conv_kernels() {
#if defined(DLCORE_AMX_BF16)
  if (amx_kernels()) return &amx_bf16::amx_conv_kernels_table;
#endif
  return nullptr;
}

constexpr std::int64_t kMostStride = 4;           // of more, there are too many parts of too few pixels
constexpr std::int64_t kLeastPixels = kTileRows;  // of a tile of C; with fewer the float32 kernels are as fast

std::int64_t pixels_of(const ConvShape& s) { return s.n * s.oh * s.ow; }
/// Columns of the matrix of patches.
std::int64_t products_of(const ConvShape& s) { return s.kh * s.kw * s.cin; }

AmxGemmPlan plan_of(const GemmShape& shape) { return plan_amx_gemm(shape, sizeof(Bfloat), cache_sizes()); }

}  // namespace

bool amx_conv_fits(const ConvShape& s) {
  const std::int64_t side = std::max({s.h, s.w, s.kh * s.dilation_h, s.kw * s.dilation_w, s.oh * s.stride_h,
                                      s.ow * s.stride_w, std::abs(s.pad_top), std::abs(s.pad_left)});
  return amx_conv_kernels() && side < kLargestConvSide && s.groups == 1 && s.cin % kTileRows == 0 &&
         s.cout >= kTileRows && pixels_of(s) >= kLeastPixels;
}

bool amx_conv_input_fits(const ConvShape& s) {
  const auto fits = [](std::int64_t stride, std::int64_t dilation) {
    return stride <= kMostStride && (stride == 1 || dilation == 1);
  };
  if (s.groups != 1 || !fits(s.stride_h, s.dilation_h) || !fits(s.stride_w, s.dilation_w)) return false;
  const std::vector<TurnedPart> parts = turned_parts(s, sizeof(Bfloat));
  return std::all_of(parts.begin(), parts.end(),
                     [](const TurnedPart& part) { return !part.has_taps() || amx_conv_fits(part.conv); });
}

AmxConvForward::AmxConvForward(const ConvShape& shape)
    : shape_(shape), plan_(plan_of(dense_gemm(pixels_of(shape), shape.cout, products_of(shape)))) {
  if (shifted_pays(shape)) shifted_.emplace(shape);
}

void AmxConvForward::run(const Bfloat* x, const Bfloat* w, const Bfloat* bias, Activation activation, Bfloat* y,
                         void* scratch) const {
  if (shifted_) return shifted_->run(x, w, bias, activation, y, scratch);
  amx_conv_kernels()->forward(plan_, shape_, x, w, {.bias = bias, .activation = activation}, y, scratch);
}

AmxConvBackwardInput::AmxConvBackwardInput(const ConvShape& shape) {
  for (const TurnedPart& part : turned_parts(shape, sizeof(Bfloat))) {
    std::optional<AmxConvForward> conv;
    if (part.has_taps()) conv.emplace(part.conv);
    parts_.push_back({part, conv});
  }
}

std::size_t AmxConvBackwardInput::scratch_bytes() const {
  std::size_t most = 0;
  for (const Part& part : parts_) {
    if (!part.conv) continue;
    const ConvShape& s = part.turned.conv;
    most = std::max(most, bytes_of<Bfloat>(products_of(s) * s.cout) + part.conv->scratch_bytes() +
                              bytes_of<Bfloat>(in_place() ? 0 : pixels_of(s) * s.cout));
  }
  return most;
}

void AmxConvBackwardInput::run(const Bfloat* dy, const Bfloat* w, Bfloat* dx, void* scratch) const {
  for (const Part& part : parts_) {
    if (!part.conv) {
      constexpr Bfloat kZero{};
      movement_kernels().strided_copy(part.turned.pixels, &kZero, dx);
      continue;
    }
    const ConvShape& s = part.turned.conv;
    Scratch free(scratch);
    auto* const turned = free.take<Bfloat>(products_of(s) * s.cout);
    Bfloat* const pixels = in_place() ? dx : free.take<Bfloat>(pixels_of(s) * s.cout);
    movement_kernels().strided_copy(part.turned.weights, w, turned);
    part.conv->run(dy, turned, nullptr, Activation::None, pixels, free.take<std::byte>(0));
    if (!in_place()) movement_kernels().strided_copy(part.turned.pixels, pixels, dx);
  }
}

AmxConvBackwardWeights::AmxConvBackwardWeights(const ConvShape& s)
    : shape_(s),
      plan_(plan_of(dense_gemm(s.cout, products_of(s), pixels_of(s), true))),
      transpose_(turn_weights(1, s.cout, products_of(s), sizeof(Bfloat))) {  // of one tap, a transposition
  if (shifted_weights_pay(s)) shifted_.emplace(s);
}

std::size_t AmxConvBackwardWeights::scratch_bytes() const {
  return bytes_of<Bfloat>(products_of(shape_) * shape_.cout) +
         (shifted_ ? shifted_->scratch_bytes() : plan_.scratch_bytes);
}

void AmxConvBackwardWeights::run(const Bfloat* x, const Bfloat* dy, Bfloat* dw, void* scratch) const {
  Scratch free(scratch);
  auto* const transposed = free.take<Bfloat>(products_of(shape_) * shape_.cout);
  auto* const rest = free.take<std::byte>(0);
  if (shifted_)
    shifted_->run(x, dy, transposed, rest);
  else
    amx_conv_kernels()->transposed_weight_gradients(plan_, shape_, x, dy, transposed, rest);
  movement_kernels().strided_copy(transpose_, transposed, dw);
}

}  // namespace dlcore
