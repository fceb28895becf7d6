#include "kernels/conv/amx.h"
#include "kernels/gemm/amx.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kChannels = static_cast<int>(kTileRows);  // that are packed at a time

/// The matrix of patches: of op(A) its rows, of op(B) transposed.
struct Patches {
  const ConvShape& shape;
  const Bfloat* x;
};

/// Sixteen columns of the matrix at a time, a tap's channels, of kGroups times sixteen pixels of y. Zero beyond the
/// edges of x, behind the last tap, and of pixels from `end` on.
template <int kGroups>
class Columns {
 public:
  Columns(const Patches& patches, std::int64_t pixel, std::int64_t end, std::int64_t column)
      : shape_(patches.shape), x_(patches.x) {
    const ConvShape& s = shape_;
    std::int64_t ow = pixel % s.ow, oh = pixel / s.ow % s.oh, n = pixel / s.ow / s.oh;
    for (int i = 0; i < kGroups * kTileRows; ++i) {
      const std::int64_t row = oh * s.stride_h - s.pad_top, col = ow * s.stride_w - s.pad_left;
      row_[i] = pixel + i < end ? static_cast<std::int32_t>(row) : kOutside;
      col_[i] = static_cast<std::int32_t>(col);
      first_[i] = ((n * s.h + row) * s.w + col) * s.cin;
      if (++ow == s.ow) ow = 0, ++oh;
      if (oh == s.oh) oh = 0, ++n;
    }
    tap_ = column / s.cin, channel_ = column % s.cin;
    place();
  }

  void advance() {
    channel_ += kChannels;
    if (channel_ < shape_.cin) return;
    ++tap_, channel_ = 0;
    place();
  }

  /// Calls body(load) for sixteen pixels: load(i) is the columns of pixel i.
  template <class Body>
  DLCORE_INLINE void with_pixels(int group, const Body& body) const {
    const std::int64_t* const at = at_ + group * kTileRows;
    const Bfloat* const x = x_ + channel_;
    const unsigned inside = inside_[group];
    if (inside == 0xffff)
      body([=](int i) __attribute__((always_inline)) { return load_half(x + at[i], kChannels); });
    else
      body([=](int i) __attribute__((always_inline)) {
        const auto mask = static_cast<__mmask16>(0u - (inside >> i & 1u));
        return bitcast<u16half>(_mm256_maskz_loadu_epi16(mask, x + at[i]));
      });
  }
  /// The same, each number in the lower half of a lane.
  DLCORE_INLINE void load(int group, u32v (&numbers)[kTileRows]) const {
    with_pixels(
        group, [&](const auto& load) __attribute__((always_inline)) {
#pragma GCC unroll 16
          for (int i = 0; i < kTileRows; ++i) numbers[i] = __builtin_convertvector(load(i), u32v);
        });
  }

 private:
  static constexpr std::int32_t kOutside = kLargestConvSide;  // beyond any image's last row, whatever the tap

  void place() {
    const ConvShape& s = shape_;
    const std::int64_t down = tap_ / s.kw * s.dilation_h, right = tap_ % s.kw * s.dilation_w;
    const __m512i rows = _mm512_set1_epi32(static_cast<int>(s.h)), cols = _mm512_set1_epi32(static_cast<int>(s.w));
    const __m512i tap = _mm512_set1_epi64((down * s.w + right) * s.cin);
    for (int g = 0; g < kGroups; ++g) {
      const __m512i row =
          _mm512_add_epi32(_mm512_loadu_si512(row_ + g * kTileRows), _mm512_set1_epi32(static_cast<int>(down)));
      const __m512i col =
          _mm512_add_epi32(_mm512_loadu_si512(col_ + g * kTileRows), _mm512_set1_epi32(static_cast<int>(right)));
      unsigned inside = _mm512_cmplt_epu32_mask(row, rows) & _mm512_cmplt_epu32_mask(col, cols);
      if (tap_ >= s.kh * s.kw) inside = 0;
      inside_[g] = inside;
      for (int i = 0; i < 2; ++i) {
        const __m512i at = _mm512_add_epi64(_mm512_loadu_si512(first_ + g * kTileRows + i * 8), tap);
        _mm512_storeu_si512(at_ + g * kTileRows + i * 8,
                            _mm512_maskz_mov_epi64(static_cast<__mmask8>(inside >> (i * 8)), at));
      }
    }
  }

  const ConvShape& shape_;
  const Bfloat* x_;
  std::int64_t tap_, channel_;
  std::int32_t row_[kGroups * kTileRows], col_[kGroups * kTileRows];  // in x, of the first tap
  std::int64_t first_[kGroups * kTileRows],
      at_[kGroups * kTileRows];  // elements of x: of the first tap, and of this one
  unsigned inside_[kGroups];     // a bit for each pixel
};

/// Half a tile: in each row the pairs of two pixels.
DLCORE_INLINE void store_pairs_of(std::byte* rows, const u32v (&pixels)[kTileRows]) {
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows / 2; ++r) {
    const u32v pairs = pixels[2 * r] | pixels[2 * r + 1] << 16;
    __builtin_memcpy(rows + r * kRowBytes, &pairs, sizeof(pairs));
  }
}

/// by_row: rows are pixels, steps columns of the matrix; else the other way round.
void pack_rows(const Patches& x, Range rows, Range steps, bool by_row, const Panels& panels) {
  const std::int64_t height = parts(rows.size(), kTileRows), tiles = parts(steps.size(), kTileSteps);
  if (by_row) {
    for (std::int64_t i = 0; i < height; ++i) {
      Columns<1> columns(x, rows.begin + i * kTileRows, rows.end, steps.begin);
      for (std::int64_t half = 0; half < 2 * tiles; ++half, columns.advance()) {
        std::byte* const to = panels.data + i * panels.bytes + half / 2 * kTileBytes + half % 2 * kRowBytes / 2;
        columns.with_pixels(
            0, [=](const auto& load) __attribute__((always_inline)) {
#pragma GCC unroll 16
              for (int r = 0; r < kTileRows; ++r) {
                const u16half numbers = load(r);
                __builtin_memcpy(to + r * kRowBytes, &numbers, sizeof(numbers));
              }
            });
      }
    }
  } else {
    for (std::int64_t p = 0; p < tiles; ++p) {
      Columns<2> columns(x, steps.begin + p * kTileSteps, steps.end, rows.begin);
      for (std::int64_t i = 0; i < height; ++i, columns.advance()) {
        u32v first[kTileRows], second[kTileRows];
        columns.load(0, first);
        columns.load(1, second);
        std::byte* const to = panels.data + i * panels.bytes + p * kTileBytes;
        store_pairs_of(to, first);
        store_pairs_of(to + kTileBytes / 2, second);
      }
    }
  }
}

void forward(const AmxGemmPlan& plan, const ConvShape& shape, const Bfloat* x, const Bfloat* w,
             const GemmEpilogue<Bfloat>& epilogue, Bfloat* y, void* scratch) {
  const Patches patches{shape, x};
  const Source<Bfloat> weights{w, shape.cout, false};
  run_product(Product<Bfloat, Patches>{plan, patches, weights, y, epilogue, static_cast<std::byte*>(scratch)});
}

void transposed_weight_gradients(const AmxGemmPlan& plan, const ConvShape& shape, const Bfloat* x, const Bfloat* dy,
                                 Bfloat* dw, void* scratch) {
  const Source<Bfloat> gradients{dy, shape.cout, false};
  const Patches patches{shape, x};
  run_product(
      Product<Bfloat, Source<Bfloat>, Patches>{plan, gradients, patches, dw, {}, static_cast<std::byte*>(scratch)});
}

}  // namespace

extern const AmxConvKernels amx_conv_kernels_table;
const AmxConvKernels amx_conv_kernels_table = {forward, transposed_weight_gradients};

}  // namespace dlcore::DLCORE_ISA
