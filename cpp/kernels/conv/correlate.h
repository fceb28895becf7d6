// The gradient of a convolution's weights: every weight sums over the pixels at which its tap reads inside of the
// image.
//
//   dw[tap, c, j] = sum over n, p of x[n, position(p, tap), c] * dy[n, p, j]
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/taps.h"
#include "kernels/conv/tile.h"

namespace dlcore {

struct CorrelateShape {
  std::int64_t images, groups;
  std::int64_t x_channels, dy_channels;  // per group
  ConvAxis rows, cols;
};

template <class T>
class Correlate {
 public:
  explicit Correlate(const CorrelateShape& shape);
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* dy, T* dw, void* scratch) const;

 private:
  /// Taps that meet the same output pixels: the region's. Pixels are summed block by block; a block is some images'
  /// regions, or some rows of one image's region.
  struct Region {
    TapRange rows, cols;
    std::vector<std::int64_t> x_offsets, dw_offsets;  // of each row of dw that the region sums: tap (and channel)
    TileRuns pixels_of_block;                         // in x and in dy
    std::int64_t block_images, block_rows;
    std::int64_t pixels() const { return (rows.last - rows.first) * (cols.last - cols.first); }
    std::int64_t blocks_per_image() const { return (rows.last - rows.first + block_rows - 1) / block_rows; }
  };
  /// Rows [first, last) of a region's rows of dw, in one panel of columns.
  struct Tile {
    std::size_t region;
    std::int64_t group, first, last, column, cols;
  };

  void add_region(const TapRange& rows, const TapRange& cols, const std::vector<std::int64_t>& taps);
  void add_tiles(std::size_t region);
  void choose_split();
  std::int64_t blocks(const Region& region) const;
  void run_task(std::int64_t task, const T* x, const T* dy, T* dw) const;
  void run_tile(const Tile& tile, std::int64_t block, bool accumulate, const T* x, const T* dy, T* dw) const;
  void add_parts(const T* parts, T* dw) const;

  std::int64_t x_pixel() const { return shape_.x_channels * shape_.groups; }
  std::int64_t dy_pixel() const { return shape_.dy_channels * shape_.groups; }
  std::int64_t weights() const { return shape_.rows.taps * shape_.cols.taps * shape_.x_channels * dy_pixel(); }
  double flops() const;

  CorrelateShape shape_;
  const TileSet<T>& tiles_set_;
  std::int64_t width_;  // of a panel
  std::vector<Region> regions_;
  std::vector<Tile> tiles_;
  std::int64_t tile_parts_ = 1;   // the tiles are shared out in so many parts ...
  std::int64_t pixel_parts_ = 1;  // ... and the blocks in so many, whose sums are added in order
};

}  // namespace dlcore
