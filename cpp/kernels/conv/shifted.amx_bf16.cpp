#include "kernels/conv/shifted.h"

#include "kernels/gemm/amx.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

// --------------------------------------------------------------------------------------------------------------- bands

struct Image {
  const Bfloat* pixels;
  std::int64_t height, width, channels;
};

DLCORE_INLINE Bfloat* copied(Bfloat* to, const Bfloat* from, std::int64_t count) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Bfloat));
  return to + count;
}
DLCORE_INLINE Bfloat* zeroed(Bfloat* to, std::int64_t count) {
  __builtin_memset(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(Bfloat));
  return to + count;
}

/// Rows of a frame of `width`, in which the image begins at (top, left): zero where there is no image.
void copy_framed(const Image& x, std::int64_t top, std::int64_t left, std::int64_t width, Range rows, Bfloat* to) {
  const std::int64_t begin = min_of(max_of<std::int64_t>(left, 0), width);
  const std::int64_t end = max_of(begin, min_of(x.width + left, width));
  for (std::int64_t row = rows.begin - top; row < rows.end - top; ++row) {
    if (row < 0 || row >= x.height) {
      to = zeroed(to, width * x.channels);
    } else {
      to = zeroed(to, begin * x.channels);
      to = copied(to, x.pixels + (row * x.width + begin - left) * x.channels, (end - begin) * x.channels);
      to = zeroed(to, (width - end) * x.channels);
    }
  }
}

/// Some rows of y of an image, or of a pair of images.
struct Band {
  std::int64_t image;
  Range rows;
};
Band band_of(const ShiftedPlan& plan, std::int64_t index) {
  return {index / plan.bands, range_of(index % plan.bands * plan.rows, plan.rows, plan.shape.oh)};
}

/// The pixels that a band reads.
void copy_band(const ShiftedPlan& plan, const Bfloat* x, const Band& band, Bfloat* to) {
  const ConvShape& s = plan.shape;
  const Image image{x + band.image * s.h * s.w * s.cin, s.h, s.w, s.cin};
  copy_framed(image, s.pad_top, s.pad_left, plan.width, {band.rows.begin, band.rows.end + plan.reach}, to);
}

// ------------------------------------------------------------------------------------------------------------- forward

/// Tiles of sixteen pixels and 32 channels of one tap after another, where they lie.
struct TapTiles {
  const std::byte* first;
  std::int64_t panel;  // bytes to the next sixteen pixels

  TapTiles(const ShiftedPlan& plan, const Bfloat* x)
      : first(reinterpret_cast<const std::byte*>(x)),
        panel(kTileRows * plan.shape.cin * static_cast<std::int64_t>(sizeof(Bfloat))),
        tap_(first),
        taps_of_row_(plan.shape.kw),
        right_(plan.shape.dilation_w * stride()),
        down_(plan.shape.dilation_h * plan.width * stride() - (taps_of_row_ - 1) * right_) {}

  std::int64_t stride() const { return panel / kTileRows; }
  void advance() {
    first += kRowBytes;
    if (first != tap_ + stride()) return;
    const bool last = ++column_ == taps_of_row_;
    if (last) column_ = 0;
    first = tap_ += last ? down_ : right_;
  }

 private:
  const std::byte* tap_;  // its first pixel
  std::int64_t column_ = 0, taps_of_row_;
  std::int64_t right_, down_;  // bytes from a tap to the next of its row, and to the next row's
};

struct Forward {
  const ShiftedPlan& plan;
  Panels weights;
  const GemmEpilogue<Bfloat>& epilogue;
  Bfloat* y;

  void compute(const Band& band, const Bfloat* x) const {
    const std::int64_t pixels = plan.pixels(band.rows.size()), cout = plan.shape.cout;
    const Tiles tiles;
    for (std::int64_t j0 = 0; j0 < cout; j0 += plan.columns)
      for (std::int64_t i = 0; i < pixels; i += kBlockRows)
        for (std::int64_t j = j0; j < min_of(j0 + plan.columns, cout); j += kBlockRows)
          compute_block(band, x, range_of(i, kBlockRows, pixels), range_of(j, kBlockRows, cout));
  }

 private:
  void compute_block(const Band& band, const Bfloat* x, Range pixels, Range cols) const {
    const ConvShape& s = plan.shape;
    alignas(64) Sums sums;
    const TapTiles a(plan, x + pixels.begin * s.cin);
    const PanelTiles<1> b{weights.from(cols.begin / kTileRows).data, weights.bytes};
    multiply_block<1>(static_cast<int>(parts(pixels.size(), kTileRows)),
                      static_cast<int>(parts(cols.size(), kTileRows)), weights.bytes / kTileBytes, a, b, sums, Idle{});
    keep_outputs(band, sums, pixels, cols);
  }

  /// Of the pixels those that are outputs.
  void keep_outputs(const Band& band, const Sums& sums, Range pixels, Range cols) const {
    const ConvShape& s = plan.shape;
    const Bfloat* const bias = epilogue.bias ? epilogue.bias + cols.begin : nullptr;
    std::int64_t row = pixels.begin / plan.width, col = pixels.begin % plan.width;
    for (std::int64_t q = pixels.begin; q < pixels.end; q += plan.width - col, col = 0, ++row) {
      const std::int64_t count = min_of(s.ow - col, pixels.end - q);
      if (count <= 0) continue;
      Bfloat* const to = y + (((band.image * s.oh + band.rows.begin + row) * s.ow + col) * s.cout + cols.begin);
      finish<Bfloat>(sums + (q - pixels.begin) * kBlockRows, nullptr, 0, count, cols.size(), bias, epilogue.activation,
                     to, s.cout);
    }
  }
};

void forward(const ShiftedPlan& plan, const Bfloat* x, const Bfloat* w, const GemmEpilogue<Bfloat>& epilogue, Bfloat* y,
             std::byte* scratch) {
  const ConvShape& s = plan.shape;
  const std::int64_t products = s.kh * s.kw * s.cin, panels = parts(s.cout, kTileRows);
  const std::int64_t panel_bytes = products / kTileSteps * kTileBytes;
  const Panels weights{scratch, panel_bytes, reinterpret_cast<bool*>(scratch + panels * panel_bytes)};
  parallel_for(panels, 0.1 * static_cast<double>(products * s.cout), [&](std::int64_t panel) {
    const Range cols = range_of(panel * kTileRows, kTileRows, s.cout);
    pack_rows(Source<Bfloat>{w, s.cout, false}, cols, {0, products}, false, weights.from(panel));
  });
  const Forward conv{plan, weights, epilogue, y};
  parallel_for_workers(s.n * plan.bands, plan.cost, plan.workers, [&](std::int64_t task, int worker) {
    auto* const room =
        reinterpret_cast<Bfloat*>(scratch + plan.rooms_offset + static_cast<std::size_t>(worker) * plan.room_bytes);
    const Band band = band_of(plan, task);
    copy_band(plan, x, band, room);
    conv.compute(band, room);
  });
}

// ---------------------------------------------------------------------------------------------------- weights'
// gradients

/// Tiles of sixteen pixels of two images and sixteen channels of one tap: a row of a tile is the pairs of a pixel.
struct PixelTiles {
  const std::byte* first;
  std::int64_t panel;        // bytes to the next sixteen channels
  std::int64_t steps, left;  // tiles of a band, and those from here on
  std::int64_t next_band;    // bytes from behind its last tile to the next one's first

  std::int64_t stride() const { return kRowBytes; }
  void advance() {
    first += kTileBytes;
    if (--left > 0) return;
    left = steps;
    first += next_band;
  }
};

/// The pixels of a frame (see copy_framed), one after another.
class FramedPixels {
 public:
  FramedPixels(const Image& x, std::int64_t top, std::int64_t left, std::int64_t width)
      : x_(x), left_(left), width_(width), row_(-top) {
    place();
  }

  /// Sixteen channels, zero where there is no image.
  DLCORE_INLINE u16half load(std::int64_t channel) const {
    const auto mask = static_cast<__mmask16>(0u - static_cast<unsigned>(inside_));
    return bitcast<u16half>(_mm256_maskz_loadu_epi16(mask, x_.pixels + at_ + channel));
  }
  DLCORE_INLINE void advance() {
    if (++col_ == width_) col_ = 0, ++row_;
    place();
  }

 private:
  DLCORE_INLINE void place() {
    const std::int64_t col = col_ - left_;
    inside_ = row_ >= 0 && row_ < x_.height && col >= 0 && col < x_.width;
    at_ = inside_ ? (row_ * x_.width + col) * x_.channels : 0;
  }

  const Image& x_;
  std::int64_t left_, width_, row_, col_ = 0;  // the row is the image's, the column the frame's
  bool inside_;
  std::int64_t at_;
};

/// Pairs of `count` pixels of two images, sixteen channels after another.
void pack_pairs(FramedPixels low, FramedPixels high, std::int64_t count, std::int64_t channels, std::byte* pairs) {
  for (std::int64_t q = 0; q < count; ++q, low.advance(), high.advance())
    for (std::int64_t c = 0; c < channels; c += kTileRows)
      store_pairs(pairs + (c / kTileRows * count + q) * kRowBytes, low.load(c), high.load(c));
}

/// Some bands of two images at a time, packed in a room.
class WeightGradients {
 public:
  WeightGradients(const ShiftedPlan& plan, const Bfloat* x, const Bfloat* dy, std::byte* room)
      : plan_(plan), x_(x), dy_(dy), steps_(plan.steps()), pixels_(plan.read_pixels(plan.rows) + kTileRows) {
    pairs_ = room;
    panels_ = pairs_ + plan.together * pair_bytes();
    gradients_ =
        reinterpret_cast<Bfloat*>(panels_ + parts(plan.shape.cout, kTileRows) * plan.together * steps_ * kTileBytes);
  }

  /// [output channels, taps * input channels]
  void sum_bands(Range bands, float* sums) const {
    for (std::int64_t i = bands.begin; i < bands.end; i += plan_.together) {
      const std::int64_t count = min_of(plan_.together, bands.end - i);
      for (std::int64_t j = 0; j < count; ++j) {
        const Band band = band_of(plan_, i + j);
        pack_images(band, pairs_ + j * pair_bytes());
        pack_gradients(band, panels_ + j * steps_ * kTileBytes, count * steps_ * kTileBytes);
      }
      multiply(count, sums, i > bands.begin);
    }
  }

 private:
  std::int64_t pair_bytes() const { return pixels_ * plan_.shape.cin / kTileRows * kRowBytes; }

  /// Of a pair of images; none behind the last one.
  Image image(const Bfloat* images, std::int64_t index, std::int64_t h, std::int64_t w, std::int64_t channels) const {
    return {index < plan_.shape.n ? images + index * h * w * channels : images, index < plan_.shape.n ? h : 0, w,
            channels};
  }

  void pack_images(const Band& band, std::byte* pairs) const {
    const ConvShape& s = plan_.shape;
    const Image low = image(x_, 2 * band.image, s.h, s.w, s.cin), high = image(x_, 2 * band.image + 1, s.h, s.w, s.cin);
    const std::int64_t top = s.pad_top - band.rows.begin;
    pack_pairs({low, top, s.pad_left, plan_.width}, {high, top, s.pad_left, plan_.width}, pixels_, s.cin, pairs);
  }

  /// Tiles of dy^T, zero behind the outputs of a row, and behind those of a band that is not whole.
  void pack_gradients(const Band& band, std::byte* panels, std::int64_t panel_bytes) const {
    const ConvShape& s = plan_.shape;
    const std::int64_t pixels = plan_.pixels(band.rows.size()), framed = band.rows.size() * plan_.width * s.cout;
    for (std::int64_t i = 0; i < 2; ++i)
      copy_framed(image(dy_, 2 * band.image + i, s.oh, s.ow, s.cout), 0, 0, plan_.width, band.rows,
                  gradients_ + i * framed);
    const Source<Bfloat> low{gradients_, s.cout, false}, high{gradients_ + framed, s.cout, false};
    f32v first[kTileRows], second[kTileRows];
    bool finite = true;
    for (std::int64_t step = 0; step < steps_; ++step)
      for (std::int64_t j = 0; j < s.cout; j += kTileRows) {
        const std::int64_t q = step * kTileRows;
        const int rows = static_cast<int>(min_of(kTileRows, s.cout - j));
        const int count = static_cast<int>(min_of(kTileRows, max_of<std::int64_t>(pixels - q, 0)));
        load_square(first, low.at(j, q), rows, count, true);
        load_square(second, high.at(j, q), rows, count, true);
        store_tiles<Bfloat>(first, second, panels + j / kTileRows * panel_bytes + step * kTileBytes, finite);
      }
  }

  void multiply(std::int64_t count, float* sums, bool accumulate) const {
    const ConvShape& s = plan_.shape;
    const std::int64_t taps = s.kh * s.kw, ld = taps * s.cin, panel = pixels_ * kRowBytes;
    const std::int64_t panel_bytes = count * steps_ * kTileBytes;
    const Tiles tiles;
    alignas(64) Sums block;
    for (std::int64_t j = 0; j < s.cin; j += kBlockRows)
      for (std::int64_t i = 0; i < s.cout; i += kBlockRows) {
        const std::int64_t height = min_of(kBlockRows, s.cout - i);
        const PanelTiles<1> a{panels_ + i / kTileRows * panel_bytes, panel_bytes};
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const std::byte* const first = pairs_ + j / kTileRows * panel + plan_.shift(tap) * kRowBytes;
          const PixelTiles b{first, panel, steps_, steps_, pair_bytes() - steps_ * kTileBytes};
          multiply_block<1>(static_cast<int>(parts(height, kTileRows)), kBlock, count * steps_, a, b, block, Idle{});
          float* const to = sums + i * ld + tap * s.cin + j;
          finish<float>(block, accumulate ? to : nullptr, ld, height, kBlockRows, nullptr, Activation::None, to, ld);
        }
      }
  }

  const ShiftedPlan& plan_;
  const Bfloat *x_, *dy_;
  std::int64_t steps_, pixels_;  // of a band: tiles along k, and the pixels that have pairs
  std::byte *pairs_, *panels_;   // of the bands
  Bfloat* gradients_;            // of a band of two images, before they are packed
};

void transposed_weight_gradients(const ShiftedPlan& plan, const Bfloat* x, const Bfloat* dy, Bfloat* dw,
                                 std::byte* scratch) {
  const ConvShape& s = plan.shape;
  const std::int64_t products = s.kh * s.kw * s.cin, size = s.cout * products, bands = parts(s.n, 2) * plan.bands;
  auto* const sums = reinterpret_cast<float*>(scratch);
  parallel_for_workers(plan.splits, plan.cost, plan.workers, [&](std::int64_t split, int worker) {
    std::byte* const room = scratch + plan.rooms_offset + static_cast<std::size_t>(worker) * plan.room_bytes;
    const Range some{split * bands / plan.splits, (split + 1) * bands / plan.splits};
    WeightGradients(plan, x, dy, room).sum_bands(some, sums + split * size);
  });
  add_splits<Bfloat>(sums, plan.splits, dense_gemm(s.cout, products, 0), {}, dw);
}

}  // namespace

extern const ShiftedKernels shifted_kernels_table;
const ShiftedKernels shifted_kernels_table = {forward, transposed_weight_gradients};

}  // namespace dlcore::DLCORE_ISA
