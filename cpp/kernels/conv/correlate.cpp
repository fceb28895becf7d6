#include "kernels/conv/correlate.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/conv/gather.h"

namespace dlcore {

namespace {

constexpr std::int64_t kBlockPixels = 256;  // enough to hide the loads and stores of dw, few enough for the caches
constexpr std::int64_t kTasks = 16;
constexpr std::int64_t kAddChunk = 4096;  // weights
constexpr double kFlopsPerNs = 100;

}  // namespace

template <class T>
Correlate<T>::Correlate(const CorrelateShape& shape)
    : shape_(shape), tiles_set_(tile_set<T>()), width_(panel_width<T>(shape.dy_channels)) {
  const ConvAxis &rows = shape.rows, &cols = shape.cols;
  std::vector<bool> done(static_cast<std::size_t>(rows.taps * cols.taps), false);
  for (std::int64_t tap = 0; tap < rows.taps * cols.taps; ++tap) {
    if (done[tap]) continue;
    const TapRange own_rows = valid_outputs(rows, tap / cols.taps), own_cols = valid_outputs(cols, tap % cols.taps);
    std::vector<std::int64_t> taps;
    for (std::int64_t other = tap; other < rows.taps * cols.taps; ++other) {
      if (valid_outputs(rows, other / cols.taps) != own_rows || valid_outputs(cols, other % cols.taps) != own_cols)
        continue;
      done[other] = true;
      taps.push_back(other);
    }
    add_region(own_rows, own_cols, taps);
  }
  choose_split();
}

template <class T>
double Correlate<T>::flops() const {
  double sum = 0;
  for (const Region& region : regions_)
    sum += 2.0 * static_cast<double>(shape_.images * region.pixels() * dy_pixel()) *
           static_cast<double>(region.x_offsets.size());
  return sum;
}

template <class T>
void Correlate<T>::add_region(const TapRange& rows, const TapRange& cols, const std::vector<std::int64_t>& taps) {
  const std::int64_t x_row = shape_.cols.in * x_pixel(), dy_row = shape_.cols.out * dy_pixel();
  const std::int64_t x_image = shape_.rows.in * x_row, dy_image = shape_.rows.out * dy_row;
  Region region{rows, cols, {}, {}, {}, 1, std::max<std::int64_t>(rows.last - rows.first, 1)};
  for (std::int64_t tap : taps) {
    const std::int64_t tap_h = tap / shape_.cols.taps, tap_w = tap % shape_.cols.taps;
    for (std::int64_t c = 0; c < shape_.x_channels; ++c) {
      region.x_offsets.push_back((tap_h * shape_.rows.dilation - shape_.rows.pad) * x_row +
                                 (tap_w * shape_.cols.dilation - shape_.cols.pad) * x_pixel() + c);
      region.dw_offsets.push_back((tap * shape_.x_channels + c) * dy_pixel());
    }
  }
  const std::int64_t pixels = std::max<std::int64_t>(region.pixels(), 1);
  if (pixels <= kBlockPixels)
    region.block_images = std::clamp<std::int64_t>(kBlockPixels / pixels, 1, std::max<std::int64_t>(shape_.images, 1));
  else
    region.block_rows = std::max<std::int64_t>(1, kBlockPixels / (cols.last - cols.first));
  for (std::int64_t image = 0; image < region.block_images; ++image) {
    for (std::int64_t row = 0; row < std::min(region.block_rows, rows.last - rows.first); ++row) {
      for (std::int64_t col = cols.first; col < cols.last; ++col)
        region.pixels_of_block.add(
            image * x_image + row * shape_.rows.stride * x_row + col * shape_.cols.stride * x_pixel(),
            image * dy_image + row * dy_row + col * dy_pixel());
    }
  }
  regions_.push_back(std::move(region));
  add_tiles(regions_.size() - 1);
}

template <class T>
void Correlate<T>::add_tiles(std::size_t region) {
  const std::int64_t rows = static_cast<std::int64_t>(regions_[region].x_offsets.size());
  for (std::int64_t group = 0; group < shape_.groups; ++group) {
    for (std::int64_t column = 0; column < shape_.dy_channels; column += width_) {
      const std::int64_t cols = std::min(width_, shape_.dy_channels - column);
      const std::int64_t max_rows = tiles_set_.max_rows[tiles_set_.vectors_of(cols)];
      const std::int64_t count = (rows + max_rows - 1) / max_rows;
      for (std::int64_t i = 0; i < count; ++i)
        tiles_.push_back({region, group, rows * i / count, rows * (i + 1) / count, column, cols});
    }
  }
}

template <class T>
std::int64_t Correlate<T>::blocks(const Region& region) const {
  if (region.pixels() == 0) return 0;
  if (region.block_images == 1) return shape_.images * region.blocks_per_image();
  return (shape_.images + region.block_images - 1) / region.block_images;
}

// Parts of the pixels cost a copy of dw each, parts of the tiles one more reading of x and dy: both as long as cheap.
template <class T>
void Correlate<T>::choose_split() {
  std::int64_t most_blocks = 1;
  for (const Region& region : regions_) most_blocks = std::max(most_blocks, blocks(region));
  const std::int64_t x_elements = shape_.images * shape_.rows.in * shape_.cols.in * x_pixel();
  const std::int64_t dy_elements = shape_.images * shape_.rows.out * shape_.cols.out * dy_pixel();
  const std::int64_t affordable = (x_elements + dy_elements) / (4 * std::max<std::int64_t>(weights(), 1));
  pixel_parts_ = std::clamp<std::int64_t>(std::min(affordable, most_blocks), 1, kTasks);
  tile_parts_ = std::clamp<std::int64_t>(kTasks / pixel_parts_, 1,
                                         std::max<std::int64_t>(1, static_cast<std::int64_t>(tiles_.size())));
}

template <class T>
std::size_t Correlate<T>::scratch_bytes() const {
  return pixel_parts_ > 1 ? static_cast<std::size_t>(pixel_parts_ * weights()) * sizeof(T) : 0;
}

template <class T>
void Correlate<T>::run(const T* x, const T* dy, T* dw, void* scratch) const {
  if (shape_.images == 0) {  // x and dy may have no address
    std::fill_n(dw, weights(), T{0});
    return;
  }
  T* const parts = pixel_parts_ > 1 ? static_cast<T*>(scratch) : dw;
  parallel_for(tile_parts_ * pixel_parts_, flops() / kFlopsPerNs,
               [&](std::int64_t task) { run_task(task, x, dy, parts); });
  if (pixel_parts_ > 1) add_parts(parts, dw);
}

template <class T>
void Correlate<T>::run_task(std::int64_t task, const T* x, const T* dy, T* parts) const {
  const std::int64_t tile_part = task % tile_parts_, pixel_part = task / tile_parts_;
  const std::int64_t tile_count = static_cast<std::int64_t>(tiles_.size());
  const std::int64_t last_tile = tile_count * (tile_part + 1) / tile_parts_;
  T* const dw = parts + pixel_part * weights();
  // Tiles of one region go over a block together, while the block is in the cache.
  for (std::int64_t from = tile_count * tile_part / tile_parts_, to; from < last_tile; from = to) {
    const Region& region = regions_[tiles_[from].region];
    for (to = from; to < last_tile && tiles_[to].region == tiles_[from].region;) ++to;
    const std::int64_t first = blocks(region) * pixel_part / pixel_parts_;
    const std::int64_t last = blocks(region) * (pixel_part + 1) / pixel_parts_;
    if (first == last)
      for (std::int64_t tile = from; tile < to; ++tile) run_tile(tiles_[tile], -1, false, x, dy, dw);
    for (std::int64_t block = first; block < last; ++block)
      for (std::int64_t tile = from; tile < to; ++tile) run_tile(tiles_[tile], block, block > first, x, dy, dw);
  }
}

/// block -1: of no pixels.
template <class T>
void Correlate<T>::run_tile(const Tile& tile, std::int64_t block, bool accumulate, const T* x, const T* dy,
                            T* dw) const {
  const Region& region = regions_[tile.region];
  const std::int64_t x_row = shape_.cols.in * x_pixel(), dy_row = shape_.cols.out * dy_pixel();
  TileArgs<T> args{};
  args.runs = region.pixels_of_block.runs.data();
  args.a_step = region.pixels_of_block.a_step;
  args.b_step = region.pixels_of_block.b_step;
  args.cols = tile.cols;
  args.accumulate = accumulate;

  std::int64_t image = 0, row = region.rows.first;
  if (block >= 0 && region.block_images > 1) {
    image = block * region.block_images;
    args.k = std::min(region.block_images, shape_.images - image) * region.pixels();
  } else if (block >= 0) {
    image = block / region.blocks_per_image();
    row += block % region.blocks_per_image() * region.block_rows;
    args.k = std::min(region.block_rows, region.rows.last - row) * (region.cols.last - region.cols.first);
  }
  args.b = dy + (image * shape_.rows.out + row) * dy_row + tile.group * shape_.dy_channels + tile.column;
  const T* const origin =
      x + (image * shape_.rows.in + row * shape_.rows.stride) * x_row + tile.group * shape_.x_channels;
  const T* a_rows[kMaxTileRows];
  T* c_rows[kMaxTileRows];
  args.a_rows = a_rows;
  args.c_rows = c_rows;
  for (std::int64_t r = tile.first; r < tile.last; ++r) {
    a_rows[r - tile.first] = origin + region.x_offsets[r];
    c_rows[r - tile.first] = dw + region.dw_offsets[r] + tile.group * shape_.dy_channels + tile.column;
  }
  tiles_set_.tile[tiles_set_.vectors_of(tile.cols)][tile.last - tile.first](args);
}

template <class T>
void Correlate<T>::add_parts(const T* parts, T* dw) const {
  const std::int64_t chunks = (weights() + kAddChunk - 1) / kAddChunk;
  parallel_for(chunks, static_cast<double>(pixel_parts_ * weights()) * 0.25, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * kAddChunk, last = std::min(first + kAddChunk, weights());
    for (std::int64_t i = first; i < last; ++i) dw[i] = parts[i];
    for (std::int64_t part = 1; part < pixel_parts_; ++part)
      for (std::int64_t i = first; i < last; ++i) dw[i] += parts[part * weights() + i];
  });
}

template class Correlate<float>;
template class Correlate<double>;

}  // namespace dlcore
