#include "kernels/conv/gather.h"

#include <algorithm>

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr double kTasks = 32;         // enough to share evenly among the threads of a desktop
constexpr double kLeastTask = 5e5;    // operations: a few microseconds
constexpr double kTaskBytes = 512e3;  // of source and target pixels: they stay in the second-level cache
constexpr double kFlopsPerNs = 100;   // of one thread, roughly

std::int64_t round_up(std::int64_t x, std::int64_t step) { return (x + step - 1) / step * step; }

}  // namespace

template <class T>
std::int64_t panel_width(std::int64_t cols) {
  const TileSet<T>& tiles = tile_set<T>();
  int vectors = std::min(tiles.vectors_of(cols), tiles.max_vectors);
  while (tiles.max_rows[vectors] == 0) --vectors;
  return vectors * tiles.lanes;
}

template std::int64_t panel_width<float>(std::int64_t);
template std::int64_t panel_width<double>(std::int64_t);

/// Walks over the pixels of a region in order (image, row, column).
template <class T>
class Gather<T>::PixelCursor {
 public:
  PixelCursor(const Region& region, const Task& task, const T* source, std::int64_t source_image, T* target,
              std::int64_t target_image)
      : region_(region), source_image_(source_image), target_image_(target_image) {
    const std::int64_t image = task.first / region.pixels(), pixel = task.first % region.pixels();
    row_ = pixel / cols();
    col_ = pixel % cols();
    source_ = source + image * source_image;
    target_ = target + image * target_image;
  }

  /// The addresses of the next `count` pixels, in the source (of the first tap) and in the target.
  void take(std::int64_t count, const T** a_rows, T** c_rows) {
    while (count > 0) {
      const std::int64_t run = std::min(count, cols() - col_);
      const T* const a = source_ + region_.source_rows[row_];
      T* const c = target_ + region_.target_rows[row_];
      for (std::int64_t i = 0; i < run; ++i) {
        *a_rows++ = a + region_.source_cols[col_ + i];
        *c_rows++ = c + region_.target_cols[col_ + i];
      }
      advance(run);
      count -= run;
    }
  }

 private:
  std::int64_t cols() const { return static_cast<std::int64_t>(region_.target_cols.size()); }
  void advance(std::int64_t run) {
    col_ += run;
    if (col_ < cols()) return;
    col_ = 0;
    if (++row_ < static_cast<std::int64_t>(region_.target_rows.size())) return;
    row_ = 0;
    source_ += source_image_;
    target_ += target_image_;
  }

  const Region& region_;
  std::int64_t source_image_, target_image_, row_, col_;
  const T* source_;
  T* target_;
};

template <class T>
auto Gather<T>::cursor(const Task& task, const Operands& operands, std::int64_t column) const -> PixelCursor {
  const std::int64_t source_pixel = shape_.source_channels * shape_.groups;
  const std::int64_t target_pixel = shape_.target_channels * shape_.groups;
  return {regions_[task.region],
          task,
          operands.source + task.group * shape_.source_channels,
          shape_.source_h * shape_.source_w * source_pixel,
          operands.target + task.group * shape_.target_channels + column,
          shape_.target_h * shape_.target_w * target_pixel};
}

template <class T>
Gather<T>::Gather(const GatherShape& shape, const std::vector<TapClass>& rows, const std::vector<TapClass>& cols,
                  const GatherWeights& weights)
    : shape_(shape), weights_(weights), tiles_(tile_set<T>()), width_(panel_width<T>(shape.target_channels)) {
  double total = 0;
  for (const TapClass& row_class : rows) {
    for (const TapClass& col_class : cols) {
      regions_.push_back(make_region(row_class, col_class, weights));
      total += flops(regions_.back()) * static_cast<double>(shape_.groups);
    }
  }
  for (std::size_t region = 0; region < regions_.size(); ++region)
    add_tasks(region, std::max(kLeastTask, total / kTasks));
  cost_ = total / kFlopsPerNs;
}

template <class T>
double Gather<T>::flops(const Region& region) const {
  const double k = static_cast<double>(std::max<std::int64_t>(region.taps.k(), 1));
  return 2.0 * static_cast<double>(shape_.images * region.pixels() * shape_.target_channels) * k;
}

template <class T>
auto Gather<T>::make_region(const TapClass& rows, const TapClass& cols, const GatherWeights& weights) const -> Region {
  const std::int64_t source_pixel = shape_.source_channels * shape_.groups;
  const std::int64_t source_row = shape_.source_w * source_pixel;
  const std::int64_t target_pixel = shape_.target_channels * shape_.groups;
  const std::int64_t target_row = shape_.target_w * target_pixel;
  Region region;
  for (std::size_t i = 0; i < rows.taps.size(); ++i) {
    for (std::size_t j = 0; j < cols.taps.size(); ++j) {
      const std::int64_t tap = rows.taps[i] * shape_.taps_w + cols.taps[j];
      for (std::int64_t c = 0; c < shape_.source_channels; ++c)
        region.taps.add(rows.steps[i] * source_row + cols.steps[j] * source_pixel + c,
                        (tap * shape_.source_channels + c) * weights.row_stride);
    }
  }
  for (std::int64_t row : rows.sources) region.source_rows.push_back(row * source_row);
  for (std::int64_t col : cols.sources) region.source_cols.push_back(col * source_pixel);
  for (std::int64_t row : rows.targets) region.target_rows.push_back(row * target_row);
  for (std::int64_t col : cols.targets) region.target_cols.push_back(col * target_pixel);
  return region;
}

template <class T>
void Gather<T>::add_tasks(std::size_t region, double flops_per_task) {
  const std::int64_t tile_rows = tiles_.max_rows[tiles_.vectors_of(width_)];
  const std::int64_t pixels = shape_.images * regions_[region].pixels();
  if (pixels == 0) return;
  const double pixel_bytes = static_cast<double>((shape_.source_channels + shape_.target_channels) * sizeof(T));
  const double by_flops = flops_per_task * static_cast<double>(pixels) / flops(regions_[region]);
  const double wanted = std::min(by_flops, kTaskBytes / pixel_bytes);
  const std::int64_t step = round_up(std::max<std::int64_t>(1, static_cast<std::int64_t>(wanted)), tile_rows);
  for (std::int64_t group = 0; group < shape_.groups; ++group)
    for (std::int64_t first = 0; first < pixels; first += step)
      tasks_.push_back({region, group, first, std::min(first + step, pixels)});
}

template <class T>
void Gather<T>::run(const T* source, const T* weights, const T* bias, Activation activation, T* target) const {
  const Operands operands{source, weights, bias, activation, target};
  parallel_for(static_cast<std::int64_t>(tasks_.size()), cost_,
               [&](std::int64_t task) { run_task(tasks_[task], operands); });
}

template <class T>
void Gather<T>::run_task(const Task& task, const Operands& operands) const {
  const Region& region = regions_[task.region];
  TileArgs<T> args{};
  args.runs = region.taps.runs.data();
  args.a_step = region.taps.a_step;
  args.b_step = region.taps.b_step;
  args.k = region.taps.k();
  args.activation = operands.activation;
  for (std::int64_t column = 0; column < shape_.target_channels; column += width_) {
    args.cols = std::min(width_, shape_.target_channels - column);
    args.b = operands.weights + task.group * weights_.group_stride + column / width_ * weights_.panel_stride;
    args.bias = operands.bias ? operands.bias + task.group * shape_.target_channels + column : nullptr;
    run_panel(task, operands, args, column);
  }
}

template <class T>
void Gather<T>::run_panel(const Task& task, const Operands& operands, TileArgs<T> args, std::int64_t column) const {
  const int vectors = tiles_.vectors_of(args.cols);
  const std::int64_t pixels = task.last - task.first;
  const std::int64_t count = (pixels + tiles_.max_rows[vectors] - 1) / tiles_.max_rows[vectors];
  const T* a_rows[kMaxTileRows];
  T* c_rows[kMaxTileRows];
  args.a_rows = a_rows;
  args.c_rows = c_rows;
  PixelCursor at = cursor(task, operands, column);
  std::int64_t done = 0;
  for (std::int64_t tile = 1; tile <= count; ++tile) {  // tiles of equal height, give or take one
    const std::int64_t height = pixels * tile / count - done;
    at.take(height, a_rows, c_rows);
    tiles_.tile[vectors][height](args);
    done += height;
  }
}

template class Gather<float>;
template class Gather<double>;

}  // namespace dlcore
