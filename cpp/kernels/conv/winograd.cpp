#include "kernels/conv/winograd.h"

#include <algorithm>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/conv/turned.h"
#include "kernels/float16.h"
#include "kernels/scratch.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(WinogradKernels, winograd_kernels)

namespace {

constexpr std::int64_t kLeastBlock = 12;                    // tiles, roughly
constexpr std::int64_t kMostSquares = 14, kMostLines = 56;  // of a block
constexpr std::int64_t kTilesByPanel = 70;
constexpr std::int64_t kPanelsToShare = 8;  // from which they occupy the threads
constexpr std::int64_t kPairsPerChunk = 8;
constexpr std::int64_t kVector = 16;         // channels, at most
constexpr std::int64_t kTermsPerChunk = 16;  // whose filters are transformed by one thread
constexpr std::int64_t kTermsPerTask = 112;  // of a product of lines
constexpr double kProductsPerNs = 25;        // of one thread, roughly

std::int64_t parts(std::int64_t all, std::int64_t size) { return (all + size - 1) / size; }

std::int64_t panels(std::int64_t cout) { return parts(cout, winograd_kernels().width); }
/// Of all patches of so many tiles, transformed.
std::int64_t patch_elements(const WinogradShape& s, std::int64_t tiles) { return s.products() * tiles * s.patch_row(); }
/// Of one panel's transformed filters.
std::int64_t panel_elements(const WinogradShape& s) { return s.products() * s.depth() * winograd_kernels().width; }
double multiplications(const WinogradShape& s) {
  return static_cast<double>(s.tiles() * s.products() * s.depth() * s.cout);
}

/// Tiles whose transformed patches fill half of L2: a multiple of a register tile's rows.
std::int64_t tiles_in_l2(const WinogradShape& s) {
  const std::int64_t rows = winograd_kernels().rows;
  const auto room = static_cast<std::int64_t>(cache_sizes().l2 / 2 / sizeof(float)) / patch_elements(s, 1);
  return std::clamp(room / rows, parts(kLeastBlock, rows), (s.is_square ? kMostSquares : kMostLines) / rows) * rows;
}

/// Whether panels of filters are shared out, not tiles: these are few, and panels enough, or more than blocks of tiles.
bool by_panels(const WinogradShape& s) {
  const bool few = s.tiles() > 0 && s.tiles() <= s.cout;
  return few && (panels(s.cout) >= kPanelsToShare || panels(s.cout) > parts(s.tiles(), tiles_in_l2(s)));
}

/// Of few tiles, those that read a panel of weights together: nearly equal parts.
std::int64_t tiles_by_panel(const WinogradShape& s) { return parts(s.tiles(), parts(s.tiles(), kTilesByPanel)); }

WinogradBlock part_of(WinogradBlock all, std::int64_t first, std::int64_t most) {
  all.first = first;
  all.count = std::min(most, all.count - first);
  return all;
}

}  // namespace

bool is_unit_3x3(const ConvShape& s) {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1 &&
         s.groups == 1;
}
bool fits_winograd(const ConvShape& s) {
  return s.groups == 1 && (s.stride_w == 1 || s.dilation_w == 1) && s.kw > s.stride_w;
}

WinogradShape::WinogradShape(const ConvShape& shape) : ConvShape(shape) {
  constexpr std::int64_t kImage = 32;         // of so many rows and columns products are compared
  constexpr double kSquareTransforms = 1.15;  // they cost more than those of lines
  const std::int64_t taps_h = parts(kh, stride_h), taps_w = parts(kw, stride_w);  // of a residue
  const auto cut_in_lines = [&] {
    is_square = false, chunks_h = 1, chunks_w = parts(taps_w, 5);
    taps = parts(taps_w, chunks_w), segments_h = kh, segments_w = stride_w * chunks_w;
  };
  const auto cut_in_squares = [&](std::int64_t of_taps) {
    is_square = true, taps = of_taps, chunks_h = parts(taps_h, taps), chunks_w = parts(taps_w, taps);
    segments_h = stride_h * chunks_h, segments_w = stride_w * chunks_w;
  };
  const auto cost = [&] {
    const std::int64_t of_image = parts(kImage, tile_rows()) * parts(kImage, tile_cols()) * segments() * products();
    return static_cast<double>(of_image) * (is_square ? kSquareTransforms : 1);
  };
  cut_in_lines();
  if (kh <= stride_h || kw <= stride_w || dilation_h > 1 || dilation_w > 1) return;
  const double lines = cost();
  cut_in_squares(2);
  const double small = cost();
  cut_in_squares(3);
  const double squares = std::min(small, cost());
  if (lines <= squares)
    cut_in_lines();
  else if (small == squares)
    cut_in_squares(2);
}

namespace {

// Counted in multiplications per pair of an input and an output channel. A patch takes as long to transform as `patch`
// products with one output channel, a result (or, for the weights, a tile of dy) as `result` products with one input
// channel; products of few channels run at 85 % of the rate of long ones. per_pair: what transforms of weights cost.
// Where a tap lies outside of the image, summing directly saves its product.
struct TransformCosts {
  double patch, result, per_pair;
};

bool saves_work(const WinogradShape& s, const TransformCosts& costs) {
  if (s.cin < 8 || s.cout < 8) return false;
  const double taps = static_cast<double>(s.kh * s.kw), segments = static_cast<double>(s.segments());
  const double direct = taps * static_cast<double>(s.n * std::min(s.oh * s.ow, s.h * s.w));
  const double per_tile = static_cast<double>(s.products()) * segments / 0.85 +
                          costs.patch * segments / static_cast<double>(s.cout) +
                          costs.result / static_cast<double>(s.cin);
  return static_cast<double>(s.tiles()) * per_tile + costs.per_pair < direct;
}

/// Of the gradient to the weights.
std::int64_t sum_elements(const WinogradShape& s) { return s.products() * s.depth() * s.cout; }

/// Of a patch and a tile of dy, transformed.
std::int64_t pair_elements(const WinogradShape& s) { return s.products() * (s.patch_row() + s.cout); }

// Each block of pairs costs a pass over the sums: where these leave the caches, it is larger. An odd number, or the
// products of a tile, which are stored together, would meet in the same sets of the first cache.
std::int64_t pair_block(const WinogradShape& s) {
  constexpr std::int64_t kBytes = sizeof(float), kLeast = 2 << 20, kMost = 4 << 20;
  const auto l3 = static_cast<std::int64_t>(cache_sizes().l3);
  const std::int64_t sums = sum_elements(s) * kBytes, pair = pair_elements(s) * kBytes;
  const std::int64_t room = std::max(std::clamp(l3 / 8, kLeast, kMost), std::min(sums, l3 / 2));
  return std::clamp<std::int64_t>(room / pair, 32, std::max<std::int64_t>(32, s.tiles())) | 1;
}

// Of the gradient to the weights: sums and pairs of a block, written and read, may leave the caches.
double cost_of_sums(const WinogradShape& s) {
  const std::int64_t elements = sum_elements(s) + std::min(pair_block(s), s.tiles()) * pair_elements(s);
  return static_cast<std::size_t>(elements) * sizeof(float) <= cache_sizes().l3 / 3 ? 470 : 1750;
}

TransformCosts costs_of_squares(const WinogradShape& s, double per_pair) {
  const double size = static_cast<double>(s.products()) / 36;
  return {220 * size, 200 * size, per_pair * size * static_cast<double>(s.segments())};
}

/// Of lines, whose vectors count whether they are full or not.
TransformCosts costs_of_lines(const WinogradShape& s, double transform, double per_tap) {
  const auto filled = [](std::int64_t channels) {
    return static_cast<double>(parts(channels, kVector) * kVector) / static_cast<double>(channels);
  };
  return {transform * filled(s.cin), transform * filled(s.cout), per_tap * static_cast<double>(s.kh * s.kw)};
}

}  // namespace

// Transformed filters are still read, from one of the farther caches.
bool winograd_saves_work(const WinogradShape& s) {
  if (s.is_square) return saves_work(s, costs_of_squares(s, s.has_filters ? 250 : 1000));
  return saves_work(s, costs_of_lines(s, 70, s.has_filters ? 30 : 110));
}
bool winograd_weights_saves_work(const WinogradShape& s) {
  return saves_work(s, s.is_square ? costs_of_squares(s, cost_of_sums(s)) : costs_of_lines(s, 100, 10));
}

std::int64_t winograd_filter_elements(const WinogradShape& s) { return panels(s.cout) * panel_elements(s); }

void transform_winograd_filters(const WinogradShape& s, const float* w, float* transformed) {
  const std::int64_t chunks = parts(s.depth(), kTermsPerChunk);
  const double cost = static_cast<double>(winograd_filter_elements(s)) / 4;
  parallel_for(panels(s.cout) * chunks, cost, [&](std::int64_t chunk) {
    const std::int64_t panel = chunk / chunks, first = chunk % chunks * kTermsPerChunk;
    winograd_kernels().transform_filters(s, w, panel, first, std::min(s.depth(), first + kTermsPerChunk),
                                         transformed + panel * panel_elements(s));
  });
}

Winograd::Winograd(const WinogradShape& shape)
    : shape_(shape),
      by_panels_(by_panels(shape)),
      block_(by_panels_ ? tiles_by_panel(shape) : tiles_in_l2(shape)),
      workers_(workers_for(by_panels_ ? panels(shape.cout) : parts(shape.tiles(), block_))) {}

std::size_t Winograd::scratch_bytes() const {
  const WinogradShape& s = shape_;
  const std::int64_t patches = patch_elements(s, by_panels_ ? s.tiles() : block_);
  const std::int64_t filters = s.has_filters ? 0 : (by_panels_ ? 1 : panels(s.cout)) * panel_elements(s);
  const std::int64_t results = s.products() * block_ * winograd_kernels().width;
  const std::int64_t shared = by_panels_ ? patches : filters, own = by_panels_ ? filters : patches;
  return bytes_of<float>(s.cin) + bytes_of<float>(shared) + bytes_of<float>(workers_ * (own + results));
}

void Winograd::run(const void* x, const float* w, const float* bias, Activation activation, void* y,
                   std::uint8_t* argmax, void* scratch) const {
  const WinogradShape& s = shape_;
  Scratch free(scratch);
  float* const no_pixel = free.take<float>(s.cin);
  std::fill_n(no_pixel, s.cin, 0.0f);
  const WinogradBlock all{0, s.tiles(), x, bias, activation, y, argmax, nullptr, nullptr, no_pixel};
  by_panels_ ? run_by_panels(w, all, free) : run_by_tiles(w, all, free);
}

/// All filters are transformed; then each block of tiles meets all panels.
void Winograd::run_by_tiles(const float* w, const WinogradBlock& all, Scratch free) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  if (!s.has_filters) {
    float* const filters = free.take<float>(winograd_filter_elements(s));
    transform_winograd_filters(s, w, filters);
    w = filters;
  }
  const std::int64_t patches = patch_elements(s, block_), results = s.products() * block_ * kernels.width;
  float* const rooms = free.take<float>(workers_ * (patches + results));
  parallel_for_workers(parts(s.tiles(), block_), multiplications(s) / kProductsPerNs, workers_,
                       [&](std::int64_t chunk, int worker) {
                         WinogradBlock block = part_of(all, chunk * block_, block_);
                         block.patches = rooms + worker * (patches + results);
                         block.products = block.patches + patches;
                         kernels.transform_patches(s, block);
                         for (std::int64_t panel = 0; panel < panels(s.cout); ++panel)
                           kernels.run_panel(s, block, panel, w + panel * panel_elements(s));
                         if (block.activation > Activation::Relu) kernels.activate(s, block);
                       });
}

/// All patches are transformed; then each panel of filters is, and meets all blocks of tiles.
void Winograd::run_by_panels(const float* w, const WinogradBlock& all, Scratch free) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  const std::int64_t blocks = parts(s.tiles(), block_);
  float* const patches = free.take<float>(patch_elements(s, s.tiles()));
  const auto block_of = [&](std::int64_t number) {
    WinogradBlock block = part_of(all, number * block_, block_);
    block.patches = patches + patch_elements(s, block.first);
    return block;
  };
  parallel_for(blocks, static_cast<double>(patch_elements(s, s.tiles())) / 4,
               [&](std::int64_t number) { kernels.transform_patches(s, block_of(number)); });
  const std::int64_t elements = s.has_filters ? 0 : panel_elements(s), results = s.products() * block_ * kernels.width;
  float* const rooms = free.take<float>(workers_ * (elements + results));
  parallel_for_workers(panels(s.cout), multiplications(s) / kProductsPerNs, workers_,
                       [&](std::int64_t panel, int worker) {
                         float* const own = rooms + worker * (elements + results);
                         if (!s.has_filters) kernels.transform_filters(s, w, panel, 0, s.depth(), own);
                         const float* const filters = s.has_filters ? w + panel * panel_elements(s) : own;
                         for (std::int64_t number = 0; number < blocks; ++number) {
                           WinogradBlock block = block_of(number);
                           block.products = own + elements;
                           kernels.run_panel(s, block, panel, filters);
                         }
                       });
  if (all.activation > Activation::Relu)
    parallel_for(blocks, static_cast<double>(s.n * s.oh * s.ow * s.cout),
                 [&](std::int64_t number) { kernels.activate(s, block_of(number)); });
}

// ------------------------------------------------------------------------------------------------------ backward input

namespace {

WinogradShape shape_of_part(const ConvShape& s, const TurnedPart& part, bool bfloat) {
  WinogradShape shape(part.conv);
  shape.bfloat = bfloat;
  shape.y_pixel = s.stride_w * s.cin, shape.y_row = s.stride_h * s.w * s.cin, shape.y_image = s.h * s.w * s.cin;
  return shape;
}

}  // namespace

std::vector<TurnedPart> winograd_parts_of_input(const ConvShape& s) {
  const auto fits = [](std::int64_t stride, std::int64_t dilation) { return stride == 1 || dilation == 1; };
  if (s.groups != 1 || !fits(s.stride_h, s.dilation_h) || !fits(s.stride_w, s.dilation_w)) return {};
  std::vector<TurnedPart> parts = turned_parts(s, sizeof(float));
  std::erase_if(parts, [&](const TurnedPart& part) {
    return !part.has_taps() || !fits_winograd(part.conv) || !winograd_saves_work(shape_of_part(s, part, false));
  });
  return parts;
}

WinogradBackwardInput::WinogradBackwardInput(const ConvShape& shape, const std::vector<TurnedPart>& parts, bool bfloat)
    : shape_(shape), pixel_bytes_(shape.cin * static_cast<std::int64_t>(bfloat ? sizeof(Bfloat) : sizeof(float))) {
  std::vector<Residue> rest;
  for (const TurnedPart& part : turned_parts(shape, sizeof(float))) rest.push_back(part.residue);
  for (const TurnedPart& part : parts) {
    parts_.push_back({part, Winograd(shape_of_part(shape, part, bfloat))});
    std::erase(rest, part.residue);
  }
  if (!rest.empty()) rest_.emplace(shape, rest);
}

std::size_t WinogradBackwardInput::scratch_bytes() const {
  std::size_t most = 0;
  for (const Part& part : parts_) most = std::max(most, part.conv.scratch_bytes());
  if (rest_) most = std::max(most, rest_->scratch_bytes());
  return bytes_of<float>(shape_.kh * shape_.kw * shape_.cin * shape_.cout) + most;
}

void WinogradBackwardInput::run(const void* dy, const float* w, void* dx, void* scratch) const {
  Scratch free(scratch);
  float* const weights = free.take<float>(shape_.kh * shape_.kw * shape_.cin * shape_.cout);
  for (const Part& part : parts_) {
    movement_kernels().strided_copy(part.turned.weights, w, weights);
    std::byte* const pixels = static_cast<std::byte*>(dx) + part.turned.first * pixel_bytes_;
    part.conv.run(dy, weights, nullptr, Activation::None, pixels, nullptr, free.take<std::byte>(0));
  }
  if (rest_) rest_->run(static_cast<const float*>(dy), w, static_cast<float*>(dx), free.take<std::byte>(0));
}

// ---------------------------------------------------------------------------------------------------- backward weights

namespace {

/// So many shares of the tiles have sums of their own, which a thread adds up by itself, where these stay in L2: what
/// it has transformed need not go to another thread, which may be far away. 0: the threads share the sums.
std::int64_t shares_of_tiles(const WinogradShape& s) {
  constexpr std::int64_t kLeastTiles = 32, kLeast = 4, kMost = 16;
  const bool near = static_cast<std::size_t>(sum_elements(s)) * sizeof(float) <= cache_sizes().l2 / 3;
  const std::int64_t shares = std::min(s.tiles() / kLeastTiles, kMost);
  return near && shares >= kLeast ? shares : 0;
}

/// Elements that fill cache lines.
std::int64_t whole_lines(std::int64_t elements) { return parts(elements, kVector) * kVector; }

/// Pairs of one thread: they fill L2.
std::int64_t own_pair_block(const WinogradShape& s) {
  constexpr std::int64_t kLeast = 64, kMost = 128;
  const auto room = static_cast<std::int64_t>(cache_sizes().l2 / sizeof(float));
  return std::clamp(room / pair_elements(s), kLeast, kMost) | 1;
}

}  // namespace

WinogradBackwardWeights::WinogradBackwardWeights(const WinogradShape& shape)
    : shape_(shape),
      shares_(shares_of_tiles(shape)),
      block_(shares_ > 0 ? own_pair_block(shape) : pair_block(shape)),
      rooms_(shares_ > 0 ? workers_for(shares_) : 1) {}

std::int64_t WinogradBackwardWeights::room_for_patches() const { return whole_lines(patch_elements(shape_, block_)); }
std::int64_t WinogradBackwardWeights::room_elements() const {
  const std::int64_t tiles = shape_.products() * block_ * shape_.cout + winograd_kernels().width;  // a tile reads ahead
  return room_for_patches() + whole_lines(tiles);
}

std::size_t WinogradBackwardWeights::scratch_bytes() const {
  const std::int64_t sums = std::max<std::int64_t>(1, shares_) * sum_elements(shape_);
  return bytes_of<float>(std::max(shape_.cin, shape_.cout)) + bytes_of<float>(sums) +
         bytes_of<float>(rooms_ * room_elements());
}

void WinogradBackwardWeights::run(const void* x, const void* dy, float* dw, void* scratch) const {
  const WinogradShape& s = shape_;
  Scratch free(scratch);
  float* const no_pixel = free.take<float>(std::max(s.cin, s.cout));
  std::fill_n(no_pixel, std::max(s.cin, s.cout), 0.0f);
  float* const sums = free.take<float>(std::max<std::int64_t>(1, shares_) * sum_elements(s));
  float* const rooms = free.take<float>(rooms_ * room_elements());
  const WinogradPairs pairs{x, dy, no_pixel, rooms, rooms + room_for_patches(), block_};
  shares_ > 0 ? add_by_shares(pairs, sums) : add_by_products(pairs, sums);
  parallel_for(s.depth(), static_cast<double>(sum_elements(s)) / 4,
               [&](std::int64_t term) { winograd_kernels().store_weights(s, sums, term, dw); });
}

void WinogradBackwardWeights::add_by_shares(const WinogradPairs& all, float* sums) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  const std::int64_t elements = sum_elements(s);
  parallel_for_workers(shares_, multiplications(s) / kProductsPerNs, rooms_, [&](std::int64_t share, int worker) {
    const std::int64_t begin = share * s.tiles() / shares_, end = (share + 1) * s.tiles() / shares_;
    WinogradPairs pairs = all;
    pairs.patches += worker * room_elements(), pairs.tiles += worker * room_elements();
    for (std::int64_t first = begin; first < end; first += block_) {
      const std::int64_t count = std::min(block_, end - first);
      for (std::int64_t at = 0; at < count; ++at) kernels.transform_pair(s, pairs, first + at, at);
      for (int product = 0; product < s.products(); ++product)
        kernels.add_pairs(s, pairs, product, count, 0, s.depth(), sums + share * elements, first > begin);
    }
  });
  const std::int64_t row = s.products() * s.cout;
  parallel_for(s.depth(), static_cast<double>(shares_ * elements) / 4, [&](std::int64_t term) {
    float* const own = sums + term * row;
    for (std::int64_t share = 1; share < shares_; ++share)
      for (std::int64_t i = 0; i < row; ++i) own[i] += own[share * elements + i];
  });
}

void WinogradBackwardWeights::add_by_products(const WinogradPairs& pairs, float* sums) const {
  const WinogradShape& s = shape_;
  const WinogradKernels& kernels = winograd_kernels();
  const std::int64_t depth = s.depth(), terms = s.is_square ? depth : kTermsPerTask, tasks = parts(depth, terms);
  for (std::int64_t first = 0; first < s.tiles(); first += block_) {
    const std::int64_t count = std::min(block_, s.tiles() - first);
    parallel_for(parts(count, kPairsPerChunk), static_cast<double>(count * s.products() * (depth + s.cout)) / 4,
                 [&](std::int64_t chunk) {
                   const std::int64_t last = std::min(count, (chunk + 1) * kPairsPerChunk);
                   for (std::int64_t at = chunk * kPairsPerChunk; at < last; ++at)
                     kernels.transform_pair(s, pairs, first + at, at);
                 });
    parallel_for(s.products() * tasks, static_cast<double>(s.products() * count * depth * s.cout) / kProductsPerNs,
                 [&](std::int64_t task) {
                   const std::int64_t term = task % tasks * terms;
                   kernels.add_pairs(s, pairs, static_cast<int>(task / tasks), count, term,
                                     std::min(depth, term + terms), sums, first > 0);
                 });
  }
}

}  // namespace dlcore
