#include "kernels/conv/amx.h"
#include "kernels/gemm/amx.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kChannels = static_cast<int>(kTileRows);  // that are packed at a time
constexpr int kHalf = static_cast<int>(kTileSteps) / 2;

/// The matrix of patches: of op(A) its rows, of op(B) transposed.
struct Patches {
  const ConvShape& shape;
  const Bfloat* x;
};

/// Sixteen columns of the matrix at a time, a tap's channels, of kCount pixels of y. Zero beyond the edges of x, behind
/// the last tap, and of pixels from `end` on.
template <int kCount>
class Columns {
 public:
  Columns(const Patches& patches, std::int64_t pixel, std::int64_t end, std::int64_t column)
      : shape_(patches.shape), x_(patches.x), count_(static_cast<int>(min_of<std::int64_t>(kCount, end - pixel))) {
    const ConvShape& s = shape_;
    std::int64_t ow = pixel % s.ow, oh = pixel / s.ow % s.oh, n = pixel / s.ow / s.oh;
    for (int i = 0; i < count_; ++i) {
      image_[i] = n, row_[i] = oh * s.stride_h - s.pad_top, col_[i] = ow * s.stride_w - s.pad_left;
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

  /// Of a pixel; each in the lower half of a lane.
  u32v operator[](int i) const {
    const __m256i numbers = _mm256_maskz_loadu_epi16(inside_[i], at_[i] + channel_);
    return __builtin_convertvector(bitcast<u16half>(numbers), u32v);
  }

 private:
  void place() {
    const ConvShape& s = shape_;
    const std::int64_t down = tap_ / s.kw * s.dilation_h, right = tap_ % s.kw * s.dilation_w;
    const bool exists = tap_ < s.kh * s.kw;
    for (int i = 0; i < kCount; ++i) {
      const std::int64_t row = row_[i] + down, col = col_[i] + right;
      const bool inside = exists && i < count_ && row >= 0 && row < s.h && col >= 0 && col < s.w;
      inside_[i] = static_cast<__mmask16>(inside ? 0xffff : 0);
      at_[i] = inside ? x_ + ((image_[i] * s.h + row) * s.w + col) * s.cin : x_;
    }
  }

  const ConvShape& shape_;
  const Bfloat* x_;
  int count_;
  std::int64_t tap_, channel_;
  std::int64_t image_[kCount]{}, row_[kCount]{}, col_[kCount]{};  // in x, of the first tap
  const Bfloat* at_[kCount];                                      // of this tap, the first channel
  __mmask16 inside_[kCount];
};

DLCORE_INLINE void store_pairs(std::byte* to, u32v first, u32v second) {
  store(reinterpret_cast<std::int32_t*>(to), bitcast<i32v>(first | second << 16));
}

/// by_row: rows are pixels, steps columns of the matrix; else the other way round.
void pack_rows(const Patches& x, Range rows, Range steps, bool by_row, const Panels& panels) {
  const std::int64_t height = parts(rows.size(), kTileRows), tiles = parts(steps.size(), kTileSteps);
  if (by_row) {
    for (std::int64_t i = 0; i < height; ++i) {
      Columns<kTileRows> columns(x, rows.begin + i * kTileRows, rows.end, steps.begin);
      std::byte* tile = panels.data + i * panels.bytes;
      for (std::int64_t p = 0; p < tiles; ++p, tile += kTileBytes) {
        u32v first[kTileRows];
        for (int r = 0; r < kTileRows; ++r) first[r] = columns[r];
        columns.advance();
        for (int r = 0; r < kTileRows; ++r) store_pairs(tile + r * kRowBytes, first[r], columns[r]);
        columns.advance();
      }
    }
  } else {
    for (std::int64_t p = 0; p < tiles; ++p) {
      Columns<kTileSteps> columns(x, steps.begin + p * kTileSteps, steps.end, rows.begin);
      for (std::int64_t i = 0; i < height; ++i, columns.advance()) {
        std::byte* const tile = panels.data + i * panels.bytes + p * kTileBytes;
        for (int r = 0; r < kHalf; ++r) store_pairs(tile + r * kRowBytes, columns[r], columns[r + kHalf]);
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

void weights(const AmxGemmPlan& plan, const ConvShape& shape, const Bfloat* x, const Bfloat* dy, Bfloat* dw,
             void* scratch) {
  const Source<Bfloat> gradients{dy, shape.cout, false};
  const Patches patches{shape, x};
  run_product(
      Product<Bfloat, Source<Bfloat>, Patches>{plan, gradients, patches, dw, {}, static_cast<std::byte*>(scratch)});
}

}  // namespace

extern const AmxConvKernels amx_conv_kernels_table;
const AmxConvKernels amx_conv_kernels_table = {forward, weights};

}  // namespace dlcore::DLCORE_ISA
