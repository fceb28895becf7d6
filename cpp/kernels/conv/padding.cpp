#include "kernels/conv/padding.h"

#include <algorithm>

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr double kBytesPerNs = 4;  // of a copy on one thread

/// Columns [first, last) of the padded image are those [first - pad, last - pad) of the image.
struct Columns {
  std::int64_t first, last;
};
Columns shared_columns(const ConvShape& from, const ConvShape& to) {
  const std::int64_t first = std::clamp<std::int64_t>(from.pad_left, 0, to.w);
  return {first, std::clamp<std::int64_t>(from.w + from.pad_left, first, to.w)};
}

template <class T>
void pad_image(const ConvShape& from, const ConvShape& to, const T* x, T* padded) {
  const Columns shared = shared_columns(from, to);
  for (std::int64_t row = 0; row < to.h; ++row, padded += to.w * to.cin) {
    const std::int64_t source = row - from.pad_top;
    if (source < 0 || source >= from.h) {
      std::fill_n(padded, to.w * to.cin, T{});
      continue;
    }
    std::fill_n(padded, shared.first * to.cin, T{});
    std::copy_n(x + (source * from.w + shared.first - from.pad_left) * to.cin, (shared.last - shared.first) * to.cin,
                padded + shared.first * to.cin);
    std::fill_n(padded + shared.last * to.cin, (to.w - shared.last) * to.cin, T{});
  }
}

}  // namespace

ConvShape without_padding(const ConvShape& s) {
  ConvShape padded = s;
  padded.pad_top = padded.pad_left = 0;
  padded.h = (s.oh - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1;
  padded.w = (s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1;
  return padded;
}

template <class T>
void pad_images(const ConvShape& from, const ConvShape& to, const T* x, T* padded) {
  const std::int64_t image = to.h * to.w * to.cin;
  parallel_for(from.n, static_cast<double>(from.n * image) * sizeof(T) / kBytesPerNs,
               [&](std::int64_t n) { pad_image(from, to, x + n * from.h * from.w * from.cin, padded + n * image); });
}

template <class T>
void crop_image(const ConvShape& from, const ConvShape& to, const T* padded, T* dx) {
  const Columns shared = shared_columns(from, to);
  const std::int64_t first = shared.first - from.pad_left, last = shared.last - from.pad_left;
  for (std::int64_t row = 0; row < from.h; ++row, dx += from.w * from.cin) {
    const std::int64_t source = row + from.pad_top;
    if (source < 0 || source >= to.h || first == last) {
      std::fill_n(dx, from.w * from.cin, T{});
      continue;
    }
    std::fill_n(dx, first * from.cin, T{});
    std::copy_n(padded + (source * to.w + shared.first) * to.cin, (last - first) * from.cin, dx + first * from.cin);
    std::fill_n(dx + last * from.cin, (from.w - last) * from.cin, T{});
  }
}

template void pad_images(const ConvShape&, const ConvShape&, const float*, float*);
template void pad_images(const ConvShape&, const ConvShape&, const double*, double*);
template void crop_image(const ConvShape&, const ConvShape&, const float*, float*);
template void crop_image(const ConvShape&, const ConvShape&, const double*, double*);

}  // namespace dlcore
