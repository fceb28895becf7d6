#include "kernels/conv/winograd.h"

#include <algorithm>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/scratch.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(WinogradKernels, winograd_kernels)

namespace {

constexpr std::int64_t kProducts = 36;
constexpr std::int64_t kLeastBlock = 12, kMostBlock = 28;  // tiles, roughly
constexpr std::int64_t kPairBytes = 2 << 20;               // of transformed patches and tiles at a time
constexpr std::int64_t kPairsPerChunk = 8;
constexpr std::int64_t kChannelsPerChunk = 16;  // whose filters are transformed by one thread
constexpr double kProductsPerNs = 25;           // of one thread, roughly

std::int64_t panels(const WinogradShape& s) {
  const std::int64_t width = winograd_kernels().width;
  return (s.cout + width - 1) / width;
}
std::int64_t weight_elements(const WinogradShape& s) {
  return panels(s) * kProducts * s.cin * winograd_kernels().width;
}
double products(const WinogradShape& s) { return static_cast<double>(s.tiles() * kProducts * s.cin * s.cout); }

/// Tiles whose transformed patches fill half of L2: a multiple of a register tile's rows.
std::int64_t choose_block(const WinogradShape& s) {
  const std::int64_t rows = winograd_kernels().rows;
  const auto room = static_cast<std::int64_t>(cache_sizes().l2 / 2 / sizeof(float)) / (kProducts * s.cin);
  return std::clamp(room / rows, (kLeastBlock + rows - 1) / rows, kMostBlock / rows) * rows;
}

/// To [3,3,Cin,Cout].
StridedCopy turn_weights(const WinogradShape& s) {
  constexpr std::int64_t kBytes = sizeof(float);
  StridedCopy copy;
  copy.element = kBytes;
  copy.in_offset = 8 * s.cin * s.cout * kBytes;
  copy.add_axis(9, -s.cin * s.cout * kBytes, s.cin * s.cout * kBytes);
  copy.add_axis(s.cin, kBytes, s.cout * kBytes);
  copy.add_axis(s.cout, s.cin * kBytes, kBytes);
  return simplify(copy);
}

}  // namespace

bool is_unit_3x3(const ConvShape& s) {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1 &&
         s.groups == 1;
}
WinogradShape winograd_shape(const ConvShape& s) {
  return {s.n, s.h, s.w, s.cin, s.oh, s.ow, s.cout, s.pad_top, s.pad_left};
}
WinogradShape winograd_input_shape(const ConvShape& s) {
  return {s.n, s.oh, s.ow, s.cout, s.h, s.w, s.cin, 2 - s.pad_top, 2 - s.pad_left};
}

namespace {

// Counted in multiplications per pair of an input and an output channel. A tile's patch takes as long to transform as
// 220 products with one output channel, its result (or, for the weights, its tile of dy) as 200 products with one input
// channel; products of few channels run at 85 % of the rate of long ones. per_pair: what transforms of weights cost.
// Where a tap lies outside of the image, summing directly saves its product.
bool saves_work(const WinogradShape& s, double per_pair) {
  if (s.cin < 8 || s.cout < 8) return false;
  const double direct = 9.0 * static_cast<double>(s.n * std::min(s.oh * s.ow, s.h * s.w));
  const double per_tile = 36 / 0.85 + 220.0 / static_cast<double>(s.cout) + 200.0 / static_cast<double>(s.cin);
  return static_cast<double>(s.tiles()) * per_tile + per_pair < direct;
}

}  // namespace

bool winograd_saves_work(const WinogradShape& s) { return saves_work(s, 1000); }
bool winograd_weights_saves_work(const WinogradShape& s) { return saves_work(s, 100); }

Winograd::Winograd(const WinogradShape& shape, bool turned)
    : shape_(shape),
      turned_(turned),
      turn_(turn_weights(shape)),
      block_(choose_block(shape)),
      workers_(num_threads()) {}

std::size_t Winograd::scratch_bytes() const {
  const WinogradShape& s = shape_;
  return bytes_of<float>(turned_elements()) + bytes_of<float>(weight_elements(s)) + bytes_of<float>(s.cin) +
         static_cast<std::size_t>(workers_) * (bytes_of<float>(kProducts * block_ * s.cin) +
                                               bytes_of<float>(kProducts * block_ * winograd_kernels().width));
}

void Winograd::run(const float* x, const float* w, const float* bias, Activation activation, float* y,
                   std::uint8_t* argmax, void* scratch) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  Scratch free(scratch);
  if (turned_) {
    float* const upright = free.take<float>(turned_elements());
    movement_kernels().strided_copy(turn_, w, upright);
    w = upright;
  }
  float* const weights = free.take<float>(weight_elements(s));
  float* const no_pixel = free.take<float>(s.cin);
  std::fill_n(no_pixel, s.cin, 0.0f);
  std::byte* const rooms = reinterpret_cast<std::byte*>(free.take<float>(0));
  const std::size_t patch_bytes = bytes_of<float>(kProducts * block_ * s.cin);
  const std::size_t room_bytes = patch_bytes + bytes_of<float>(kProducts * block_ * kernels.width);

  const std::int64_t parts = (s.cin + kChannelsPerChunk - 1) / kChannelsPerChunk;
  parallel_for(panels(s) * parts, static_cast<double>(weight_elements(s)) / 4, [&](std::int64_t chunk) {
    const std::int64_t first = chunk % parts * kChannelsPerChunk;
    kernels.transform_weights(s, w, chunk / parts, first, std::min(s.cin, first + kChannelsPerChunk), weights);
  });
  const std::int64_t tiles = s.tiles();
  parallel_for_workers((tiles + block_ - 1) / block_, products(s) / kProductsPerNs, workers_,
                       [&](std::int64_t chunk, int worker) {
                         std::byte* const room = rooms + static_cast<std::size_t>(worker) * room_bytes;
                         WinogradBlock block{};
                         block.first = chunk * block_;
                         block.count = std::min(block_, tiles - block.first);
                         block.x = x, block.weights = weights, block.bias = bias, block.activation = activation;
                         block.y = y, block.argmax = argmax, block.no_pixel = no_pixel;
                         block.patches = reinterpret_cast<float*>(room);
                         block.products = reinterpret_cast<float*>(room + patch_bytes);
                         kernels.run_block(s, block);
                       });
}

// ---------------------------------------------------------------------------------------------------- backward weights

namespace {

std::int64_t pair_block(const WinogradShape& s) {
  const std::int64_t pair = kProducts * (s.cin + s.cout) * static_cast<std::int64_t>(sizeof(float));
  return std::clamp<std::int64_t>(kPairBytes / pair, 32, std::max<std::int64_t>(32, s.tiles()));
}

}  // namespace

WinogradBackwardWeights::WinogradBackwardWeights(const WinogradShape& shape)
    : shape_(shape), block_(pair_block(shape)) {}

std::size_t WinogradBackwardWeights::scratch_bytes() const {
  const WinogradShape& s = shape_;
  return bytes_of<float>(std::max(s.cin, s.cout)) + bytes_of<float>(kProducts * s.cin * s.cout) +
         bytes_of<float>(kProducts * block_ * s.cin) +
         bytes_of<float>(kProducts * block_ * s.cout + winograd_kernels().width);  // a register tile reads ahead
}

void WinogradBackwardWeights::run(const float* x, const float* dy, float* dw, void* scratch) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  Scratch free(scratch);
  float* const no_pixel = free.take<float>(std::max(s.cin, s.cout));
  std::fill_n(no_pixel, std::max(s.cin, s.cout), 0.0f);
  float* const sums = free.take<float>(kProducts * s.cin * s.cout);
  float* const patches = free.take<float>(kProducts * block_ * s.cin);
  float* const tiles = free.take<float>(kProducts * block_ * s.cout + kernels.width);
  const WinogradPairs pairs{x, dy, no_pixel, patches, tiles, block_};
  for (std::int64_t first = 0; first < s.tiles(); first += block_) {
    const std::int64_t count = std::min(block_, s.tiles() - first);
    parallel_for((count + kPairsPerChunk - 1) / kPairsPerChunk,
                 static_cast<double>(count * kProducts * (s.cin + s.cout)) / 4, [&](std::int64_t chunk) {
                   const std::int64_t last = std::min(count, (chunk + 1) * kPairsPerChunk);
                   for (std::int64_t at = chunk * kPairsPerChunk; at < last; ++at)
                     kernels.transform_pair(s, pairs, first + at, at);
                 });
    parallel_for(
        kProducts, static_cast<double>(count * kProducts * s.cin * s.cout) / kProductsPerNs,
        [&](std::int64_t product) { kernels.add_pairs(s, pairs, static_cast<int>(product), count, sums, first > 0); });
  }
  parallel_for(s.cin, static_cast<double>(kProducts * s.cin * s.cout) / 4,
               [&](std::int64_t cin) { kernels.store_weights(s, sums, cin, dw); });
}

}  // namespace dlcore
