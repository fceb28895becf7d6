// Convolution forward and backward to the input as one computation: every target pixel gathers, over its taps, rows of
// the source image times rows of a weight matrix.
//
//   target[n, p, j] = act(bias[j] + sum over taps t of p, c of source[n, position(p, t), c] * weights[t, c, j])
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/taps.h"
#include "kernels/conv/tile.h"

namespace dlcore {

struct GatherShape {
  std::int64_t images, groups;
  std::int64_t source_h, source_w, source_channels;  // channels: per group
  std::int64_t target_h, target_w, target_channels;
  std::int64_t taps_h, taps_w;
};

/// How the weight matrix of taps * source_channels rows and target_channels columns lies, per group.
struct GatherWeights {
  std::int64_t row_stride;    // between rows
  std::int64_t panel_stride;  // between panels of panel_width columns
  std::int64_t group_stride;
};

/// Columns of the register tiles that compute so many columns.
template <class T>
std::int64_t panel_width(std::int64_t cols);

template <class T>
class Gather {
 public:
  Gather(const GatherShape& shape, const std::vector<TapClass>& rows, const std::vector<TapClass>& cols,
         const GatherWeights& weights);

  void run(const T* source, const T* weights, const T* bias, Activation activation, T* target) const;

 private:
  /// Pixels that read the same taps.
  struct Region {
    TileRuns taps;                                       // and channels: in the source and in the weights
    std::vector<std::int64_t> source_rows, source_cols;  // element offsets of a pixel's first tap ...
    std::vector<std::int64_t> target_rows, target_cols;  // ... and of the pixel itself
    std::int64_t pixels() const { return static_cast<std::int64_t>(target_rows.size() * target_cols.size()); }
  };
  /// Pixels [first, last) of all images' pixels of a region, in one group.
  struct Task {
    std::size_t region;
    std::int64_t group, first, last;
  };
  struct Operands {
    const T* source;
    const T* weights;
    const T* bias;
    Activation activation;
    T* target;
  };

  class PixelCursor;

  PixelCursor cursor(const Task& task, const Operands& operands, std::int64_t column) const;
  Region make_region(const TapClass& rows, const TapClass& cols, const GatherWeights& weights) const;
  void add_tasks(std::size_t region, double flops_per_task);
  void run_task(const Task& task, const Operands& operands) const;
  void run_panel(const Task& task, const Operands& operands, TileArgs<T> args, std::int64_t column) const;
  double flops(const Region& region) const;

  GatherShape shape_;
  GatherWeights weights_;
  const TileSet<T>& tiles_;
  std::int64_t width_;  // of a panel
  std::vector<Region> regions_;
  std::vector<Task> tasks_;
  double cost_ = 0;
};

}  // namespace dlcore
