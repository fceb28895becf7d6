#include "kernels/conv/patches.h"

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr double kAddsPerNs = 0.5;  // of one thread

}  // namespace

template <class T>
PatchSum<T>::PatchSum(std::int64_t images, std::int64_t channels, const ConvAxis& rows, const ConvAxis& cols)
    : images_(images), channels_(channels), image_elements_(rows.out * cols.out * rows.taps * cols.taps * channels) {
  const std::int64_t pixel = rows.taps * cols.taps * channels;
  rows_ = offsets(rows, cols.out * pixel, cols.taps * channels);
  cols_ = offsets(cols, pixel, channels);
}

template <class T>
auto PatchSum<T>::offsets(const ConvAxis& axis, std::int64_t per_output, std::int64_t per_tap) -> Offsets {
  Offsets offsets(static_cast<std::size_t>(axis.in));
  for (const TapClass& taps : backward_taps(axis))
    for (std::size_t i = 0; i < taps.targets.size(); ++i)
      for (std::size_t t = 0; t < taps.taps.size(); ++t)
        offsets[taps.targets[i]].push_back((taps.sources[i] + taps.steps[t]) * per_output + taps.taps[t] * per_tap);
  return offsets;
}

template <class T>
void PatchSum<T>::run(const T* patches, T* dx) const {
  const std::int64_t rows = static_cast<std::int64_t>(rows_.size()),
                     line = static_cast<std::int64_t>(cols_.size()) * channels_;
  const double cost = static_cast<double>(images_ * image_elements_) / kAddsPerNs;
  parallel_for(images_ * rows, cost, [&](std::int64_t row) {
    sum_row(patches + row / rows * image_elements_, rows_[row % rows], dx + row * line);
  });
}

template <class T>
void PatchSum<T>::sum_row(const T* image, const std::vector<std::int64_t>& row, T* dx) const {
  for (const std::vector<std::int64_t>& col : cols_) {
    for (std::int64_t c = 0; c < channels_; ++c) {
      T sum = 0;
      for (std::int64_t down : row)
        for (std::int64_t right : col) sum += image[down + right + c];
      *dx++ = sum;
    }
  }
}

template class PatchSum<float>;
template class PatchSum<double>;

}  // namespace dlcore
