#include "kernels/conv/pooled.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "kernels/conv/padding.h"
#include "kernels/conv/row_sums.h"
#include "kernels/gemm/sparse.h"
#include "kernels/movement/movement.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

constexpr std::int64_t kMostPositions = 16;  // of a pooling window
constexpr std::int64_t kTasks = 32;
constexpr std::int64_t kChannels = 16;           // a line of gradients, that are looked at together
constexpr std::int64_t kListed = 1024;           // gradients that are listed at a time: the lists stay in L1
constexpr std::int64_t kWeightBytes = 24 << 10;  // of weights that are used at a time: they stay there too
constexpr std::int64_t kAddChunk = 4096;         // weights
constexpr double kFlopsPerNs = 50;               // of one thread, roughly
constexpr std::int64_t kProductsToSkip = 128;    // for each number of dy
constexpr double kFewNonzeros = 1.0 / 16;        // a product costs several times as much as a dense one

/// The patch of x, or of dx, that one output pixel of the convolution touches: kh rows of kw * cin numbers.
std::int64_t patch_cols(const ConvShape& s) { return s.kw * s.cin; }
std::int64_t patch_step(const ConvShape& s) { return s.dilation_h * s.w * s.cin; }

/// Where, in an image of `inner`, the patches of a window's pixels begin: window offset + position offset.
struct PatchOffsets {
  std::vector<std::int32_t> windows, positions;

  PatchOffsets(const ConvShape& inner, const PoolShape& pool) {
    const auto offset = [&](std::int64_t row, std::int64_t col) {
      return static_cast<std::int32_t>((row * inner.stride_h * inner.w + col * inner.stride_w) * inner.cin);
    };
    for (std::int64_t row = 0; row < pool.oh; ++row)
      for (std::int64_t col = 0; col < pool.ow; ++col)
        windows.push_back(offset(row * pool.stride_h - pool.pad_top, col * pool.stride_w - pool.pad_left));
    for (std::int64_t row = 0; row < pool.pool_h; ++row)
      for (std::int64_t col = 0; col < pool.pool_w; ++col) positions.push_back(offset(row, col));
  }
  std::int64_t window_count() const { return static_cast<std::int64_t>(windows.size()); }
  std::int64_t position_count() const { return static_cast<std::int64_t>(positions.size()); }
};

std::int64_t part(std::int64_t all, std::int64_t i, std::int64_t parts) { return all * i / parts; }

template <class T>
bool all_zeros(const T* x, std::int64_t count) {
  bool some = false;
  for (std::int64_t i = 0; i < count; ++i) some |= x[i] != 0;
  return !some;
}

bool can_compute(const ConvShape& conv) {
  const ConvShape inner = without_padding(conv);
  constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();
  return conv.groups == 1 && conv.dilation_w == 1 && inner.h * inner.w * inner.cin < kMostElements &&
         2 * conv.kh * conv.kw * conv.cin * conv.cout < kMostElements;
}

}  // namespace

bool pooling_saves_work(const ConvShape& conv, const PoolShape& pool) {
  return can_compute(conv) && pool.pool_h * pool.pool_w <= kMostPositions && 2 * pool.oh * pool.ow <= conv.oh * conv.ow;
}

PoolShape no_pooling(const ConvShape& s) { return {s.n, s.oh, s.ow, s.cout, s.oh, s.ow, 1, 1, 1, 1, 0, 0}; }

// A number of dy takes as long to look at as some dozens of products.
bool zeros_save_work(const ConvShape& s) { return can_compute(s) && s.kh * s.kw * s.cin >= kProductsToSkip; }

bool is_nearly_all_zeros(const ConvShape& s, const float* dy) {
  return sparse_entries<float>().share_of_nonzeros(dy, s.n * s.oh * s.ow, s.cout, s.cout) < kFewNonzeros;
}

double pooled_conv_flops(const ConvShape& conv, const PoolShape& pool) {
  return 2.0 * pool.n * pool.oh * pool.ow * conv.cout * conv.kh * conv.kw * conv.cin;
}

// ---------------------------------------------------------------------------------------------------- backward weights

template <class T>
struct PooledBackwardWeights<T>::Plan {
  ConvShape shape, inner;
  PoolShape pool;
  bool padded;
  PatchOffsets offsets;
  std::vector<RowSumTile<T>> tiles;
  std::int64_t image_parts, channel_parts;
  StridedCopy transpose;  // of the sums, output channel by output channel, to HWIO

  // The tiles read whole vectors of x.
  static bool wants_padding(const ConvShape& s) {
    return s.pad_top > 0 || s.pad_left > 0 || (s.oh - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1 > s.h ||
           (s.ow - 1) * s.stride_w + s.kw > s.w || patch_cols(s) % row_sum_set<T>().lanes != 0;
  }
  Plan(const ConvShape& s, const PoolShape& p)
      : shape(s),
        inner(wants_padding(s) ? without_padding(s) : s),
        pool(p),
        padded(wants_padding(s)),
        offsets(inner, p),
        tiles(row_sum_tiles<T>(s.kh, patch_cols(s))) {
    // Parts of the images cost a copy of dw each, parts of the channels one more reading of x.
    const std::int64_t x_elements = inner.n * inner.h * inner.w * inner.cin;
    const std::int64_t affordable = x_elements / (4 * std::max<std::int64_t>(weights(), 1));
    image_parts = std::clamp<std::int64_t>(std::min(affordable, s.n), 1, kTasks);
    channel_parts = std::clamp<std::int64_t>(kTasks / image_parts, 1, s.cout);
    constexpr std::int64_t kBytes = sizeof(T);
    transpose.element = kBytes;
    transpose.add_axis(patch(), kBytes, s.cout * kBytes);
    transpose.add_axis(s.cout, patch() * kBytes, kBytes);
    transpose = simplify(transpose);
  }

  std::int64_t patch() const { return shape.kh * patch_cols(shape); }
  std::int64_t weights() const { return shape.cout * patch(); }
  std::int64_t padded_elements() const {
    return padded ? inner.n * inner.h * inner.w * inner.cin + row_sum_set<T>().lanes : 0;
  }
  void sum_channels(const T* x, const T* dp, const std::uint8_t* argmax, std::int64_t channels, T* dw) const;
  void run_task(std::int64_t task, const T* x, const T* dp, const std::uint8_t* argmax, T* sums) const;
  void add_parts(T* sums) const;
};

/// Adds what one image contributes to `channels` output channels, at most kChannels.
template <class T>
void PooledBackwardWeights<T>::Plan::sum_channels(const T* x, const T* dp, const std::uint8_t* argmax,
                                                  std::int64_t channels, T* dw) const {
  constexpr std::int64_t kChunk = 256;
  std::int32_t patches[kChannels][kChunk];
  T gradients[kChannels][kChunk];
  RowSumArgs<T> args{};
  args.row_step = patch_step(inner);
  args.sum_step = patch_cols(shape);
  for (std::int64_t first = 0; first < offsets.window_count(); first += kChunk) {
    const std::int64_t last = std::min(first + kChunk, offsets.window_count());
    std::int64_t counts[kChannels]{};
    for (std::int64_t window = first; window < last; ++window) {
      const T* const from = dp + window * shape.cout;
      if (!argmax && all_zeros(from, channels)) continue;
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int32_t position = offsets.positions[argmax ? argmax[window * shape.cout + c] : 0];
        patches[c][counts[c]] = offsets.windows[window] + position;
        gradients[c][counts[c]] = from[c];
        counts[c] += from[c] != 0;
      }
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      args.count = counts[c];
      args.offsets = patches[c];
      args.scales = gradients[c];
      if (args.count == 0) continue;
      for (const RowSumTile<T>& tile : tiles) {
        args.rows = x + tile.row * args.row_step + tile.col;
        args.sums = dw + c * patch() + tile.row * args.sum_step + tile.col;
        args.cols = tile.cols;
        tile.run(args);
      }
    }
  }
}

template <class T>
void PooledBackwardWeights<T>::Plan::run_task(std::int64_t task, const T* x, const T* dp, const std::uint8_t* argmax,
                                              T* sums) const {
  const std::int64_t images = task % image_parts, channels = task / image_parts;
  const std::int64_t first = part(shape.cout, channels, channel_parts);
  const std::int64_t last = part(shape.cout, channels + 1, channel_parts);
  const std::int64_t image = inner.h * inner.w * inner.cin, pooled = offsets.window_count() * shape.cout;
  T* const dw = sums + images * weights();
  std::fill(dw + first * patch(), dw + last * patch(), T{});
  for (std::int64_t n = part(shape.n, images, image_parts); n < part(shape.n, images + 1, image_parts); ++n)
    for (std::int64_t c = first; c < last; c += kChannels)
      sum_channels(x + n * image, dp + n * pooled + c, argmax ? argmax + n * pooled + c : nullptr,
                   std::min(kChannels, last - c), dw + c * patch());
}

/// Adds the image parts' sums to those of the first.
template <class T>
void PooledBackwardWeights<T>::Plan::add_parts(T* sums) const {
  const std::int64_t all = weights();
  parallel_for((all + kAddChunk - 1) / kAddChunk, static_cast<double>(image_parts * all) * 0.25,
               [&](std::int64_t chunk) {
                 const std::int64_t last = std::min((chunk + 1) * kAddChunk, all);
                 for (std::int64_t other = 1; other < image_parts; ++other)
                   for (std::int64_t i = chunk * kAddChunk; i < last; ++i) sums[i] += sums[other * all + i];
               });
}

template <class T>
PooledBackwardWeights<T>::PooledBackwardWeights(const ConvShape& conv, const PoolShape& pool)
    : plan_(std::make_unique<Plan>(conv, pool)) {}
template <class T>
PooledBackwardWeights<T>::~PooledBackwardWeights() = default;

template <class T>
std::size_t PooledBackwardWeights<T>::scratch_bytes() const {
  return bytes_of<T>(plan_->padded_elements()) + bytes_of<T>(plan_->image_parts * plan_->weights());
}

template <class T>
void PooledBackwardWeights<T>::run(const T* x, const T* dp, const std::uint8_t* argmax, T* dw, void* scratch) const {
  const Plan& plan = *plan_;
  Scratch free(scratch);
  T* const padded = free.take<T>(plan.padded_elements());
  T* const sums = free.take<T>(plan.image_parts * plan.weights());
  if (plan.padded) {
    pad_images(plan.shape, plan.inner, x, padded);
    x = padded;
  }
  parallel_for(plan.image_parts * plan.channel_parts, pooled_conv_flops(plan.shape, plan.pool) / kFlopsPerNs,
               [&](std::int64_t task) { plan.run_task(task, x, dp, argmax, sums); });
  plan.add_parts(sums);
  movement_kernels().strided_copy(plan.transpose, sums, dw);
}

// ------------------------------------------------------------------------------------------------------ backward input

template <class T>
struct PooledBackwardInput<T>::Plan {
  ConvShape shape, inner;
  PoolShape pool;
  PatchOffsets offsets;
  std::vector<RowSumTile<T>> tiles;
  std::int64_t weight_step;        // between the output channels' rows of weights, whole vectors
  std::int64_t channels, windows;  // that are listed at a time
  std::int64_t parts;
  StridedCopy transpose;  // of HWIO weights to rows of (kw, cin), for each kh and output channel

  /// The gradients of some windows and channels: for each window and position in it, those whose argmax it is.
  struct Lists {
    std::int32_t* counts;
    std::int32_t* weights;  // where a channel's weights begin
    T* gradients;
  };

  Plan(const ConvShape& s, const PoolShape& p)
      : shape(s), inner(without_padding(s)), pool(p), offsets(inner, p), tiles(row_sum_tiles<T>(s.kh, patch_cols(s))) {
    const std::int64_t lanes = row_sum_set<T>().lanes;
    constexpr std::int64_t kBytes = sizeof(T);
    weight_step = (patch_cols(s) + lanes - 1) / lanes * lanes;
    channels = std::clamp<std::int64_t>(kWeightBytes / (kMaxRowSumVectors * lanes * kBytes), 1, s.cout);
    windows = std::clamp<std::int64_t>(kListed / channels, 1, std::max<std::int64_t>(offsets.window_count(), 1));
    parts = std::clamp<std::int64_t>(s.n, 1, kTasks);
    transpose.element = kBytes;
    transpose.add_axis(s.kh, patch_cols(s) * s.cout * kBytes, s.cout * weight_step * kBytes);
    transpose.add_axis(s.cout, kBytes, weight_step * kBytes);
    transpose.add_axis(patch_cols(s), s.cout * kBytes, kBytes);
    transpose = simplify(transpose);
  }

  std::int64_t weights() const { return shape.kh * shape.cout * weight_step; }
  std::int64_t image() const { return inner.h * inner.w * inner.cin; }
  std::int64_t lists() const { return windows * offsets.position_count(); }
  std::int64_t listed() const { return lists() * (channels + 1); }
  std::size_t part_bytes() const {
    return bytes_of<T>(image()) + bytes_of<std::int32_t>(lists()) + bytes_of<std::int32_t>(listed()) +
           bytes_of<T>(listed());
  }
  void list(const T* dp, const std::uint8_t* argmax, std::int64_t count, std::int64_t first, std::int64_t last,
            const Lists& lists) const;
  void sum_lists(const Lists& lists, std::int64_t first_window, std::int64_t count, const T* weights, T* image) const;
  void run_image(const T* dp, const std::uint8_t* argmax, const T* weights, const Lists& lists, T* image) const;
};

/// Lists what channels [first, last) of `count` windows have.
template <class T>
void PooledBackwardInput<T>::Plan::list(const T* dp, const std::uint8_t* argmax, std::int64_t count, std::int64_t first,
                                        std::int64_t last, const Lists& lists) const {
  const std::int64_t positions = offsets.position_count();
  std::fill_n(lists.counts, count * positions, 0);
  for (std::int64_t window = 0; window < count; ++window) {
    std::int32_t* const counts = lists.counts + window * positions;
    if (!argmax && all_zeros(dp + window * shape.cout + first, last - first)) continue;
    for (std::int64_t c = first; c < last; ++c) {
      const std::int64_t position = argmax ? argmax[window * shape.cout + c] : 0;
      const T gradient = dp[window * shape.cout + c];
      const std::int64_t at = (window * positions + position) * (channels + 1) + counts[position];
      lists.weights[at] = static_cast<std::int32_t>(c * weight_step);
      lists.gradients[at] = gradient;
      counts[position] += gradient != 0;
    }
  }
}

/// Tile by tile, so that the weights of one tile are used for all listed windows.
template <class T>
void PooledBackwardInput<T>::Plan::sum_lists(const Lists& lists, std::int64_t first_window, std::int64_t count,
                                             const T* weights, T* image) const {
  const std::int64_t positions = offsets.position_count();
  RowSumArgs<T> args{};
  args.row_step = shape.cout * weight_step;
  args.sum_step = patch_step(inner);
  for (const RowSumTile<T>& tile : tiles) {
    args.rows = weights + tile.row * args.row_step + tile.col;
    args.cols = tile.cols;
    for (std::int64_t window = 0; window < count; ++window) {
      T* const sums = image + tile.row * args.sum_step + tile.col;
      for (std::int64_t position = 0; position < positions; ++position) {
        const std::int64_t list = window * positions + position;
        args.count = lists.counts[list];
        if (args.count == 0) continue;
        args.offsets = lists.weights + list * (channels + 1);
        args.scales = lists.gradients + list * (channels + 1);
        args.sums = sums + (offsets.windows[first_window + window] + offsets.positions[position]);
        tile.run(args);
      }
    }
  }
}

template <class T>
void PooledBackwardInput<T>::Plan::run_image(const T* dp, const std::uint8_t* argmax, const T* weights,
                                             const Lists& lists, T* image_sums) const {
  std::fill_n(image_sums, image(), T{});
  for (std::int64_t first = 0; first < shape.cout; first += channels) {
    const std::int64_t last = std::min(first + channels, shape.cout);
    for (std::int64_t window = 0; window < offsets.window_count(); window += windows) {
      const std::int64_t count = std::min(windows, offsets.window_count() - window);
      list(dp + window * shape.cout, argmax ? argmax + window * shape.cout : nullptr, count, first, last, lists);
      sum_lists(lists, window, count, weights, image_sums);
    }
  }
}

template <class T>
PooledBackwardInput<T>::PooledBackwardInput(const ConvShape& conv, const PoolShape& pool)
    : plan_(std::make_unique<Plan>(conv, pool)) {}
template <class T>
PooledBackwardInput<T>::~PooledBackwardInput() = default;

template <class T>
std::size_t PooledBackwardInput<T>::scratch_bytes() const {
  return bytes_of<T>(plan_->weights()) + static_cast<std::size_t>(plan_->parts) * plan_->part_bytes();
}

template <class T>
void PooledBackwardInput<T>::run(const T* dp, const std::uint8_t* argmax, const T* w, T* dx, void* scratch) const {
  const Plan& plan = *plan_;
  const ConvShape& s = plan.shape;
  Scratch free(scratch);
  T* const weights = free.take<T>(plan.weights());
  std::byte* const parts = free.take<std::byte>(static_cast<std::int64_t>(plan.parts * plan.part_bytes()));
  movement_kernels().strided_copy(plan.transpose, w, weights);
  const std::int64_t pooled = plan.offsets.window_count() * s.cout;
  parallel_for(plan.parts, pooled_conv_flops(s, plan.pool) / kFlopsPerNs, [&](std::int64_t task) {
    Scratch own(parts + task * plan.part_bytes());
    T* const image = own.take<T>(plan.image());
    const typename Plan::Lists lists{own.take<std::int32_t>(plan.lists()), own.take<std::int32_t>(plan.listed()),
                                     own.take<T>(plan.listed())};
    for (std::int64_t n = part(s.n, task, plan.parts); n < part(s.n, task + 1, plan.parts); ++n) {
      plan.run_image(dp + n * pooled, argmax ? argmax + n * pooled : nullptr, weights, lists, image);
      crop_image(s, plan.inner, image, dx + n * s.h * s.w * s.cin);
    }
  });
}

template class PooledBackwardWeights<float>;
template class PooledBackwardWeights<double>;
template class PooledBackwardInput<float>;
template class PooledBackwardInput<double>;

}  // namespace dlcore
