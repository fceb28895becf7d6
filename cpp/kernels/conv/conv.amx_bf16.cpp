#include "kernels/conv/amx.h"
#include "kernels/gemm/amx.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kChannels = static_cast<int>(kTileRows);  // that are packed at a time
constexpr int kHalf = static_cast<int>(kTileSteps) / 2;
constexpr std::int64_t kOutside = std::int64_t{1} << 40;  // a row that no image has

alignas(64) constexpr Bfloat kZeros[kChannels] = {};

/// Where a pixel of y has its first tap in x.
struct Pixel {
  std::int64_t row, col;  // of x, perhaps beyond its edges
  std::int64_t element;
};

/// Sixteen products of every pixel: a tap, and input channels from one on.
class Products {
 public:
  Products(const ConvShape& shape, std::int64_t first)
      : shape_(shape), tap_(first / shape.cin), channel_(first % shape.cin) {
    place();
  }

  /// The next sixteen.
  void advance() {
    channel_ += kChannels, element_ += kChannels;
    if (channel_ < shape_.cin) return;
    ++tap_, channel_ = 0;
    place();
  }

  /// In x, or zeros beyond its edges and behind the last tap.
  const Bfloat* of(const Pixel& pixel, const Bfloat* x) const {
    const auto row = static_cast<std::uint64_t>(pixel.row + down_),
               col = static_cast<std::uint64_t>(pixel.col + right_);
    const bool inside = row < static_cast<std::uint64_t>(shape_.h) && col < static_cast<std::uint64_t>(shape_.w);
    return inside ? x + pixel.element + element_ : kZeros;
  }

 private:
  void place() {
    const std::int64_t down = tap_ / shape_.kw * shape_.dilation_h;
    right_ = tap_ % shape_.kw * shape_.dilation_w;
    element_ = (down * shape_.w + right_) * shape_.cin + channel_;
    down_ = tap_ < shape_.kh * shape_.kw ? down : kOutside;
  }

  const ConvShape& shape_;
  std::int64_t tap_, channel_;
  std::int64_t down_, right_, element_;  // from a pixel's first tap on
};

/// The matrix of patches: of op(A) its rows, of op(B) transposed.
struct Patches {
  const ConvShape& shape;
  const Bfloat* x;

  /// Of a tile's worth of pixels those from `first` to before `end`; the others lie outside of every image.
  template <int kCount>
  void locate(std::int64_t first, std::int64_t end, Pixel (&pixels)[kCount]) const {
    std::int64_t ow = first % shape.ow, oh = first / shape.ow % shape.oh, n = first / shape.ow / shape.oh;
    for (int i = 0; i < kCount; ++i) {
      const std::int64_t row = oh * shape.stride_h - shape.pad_top, col = ow * shape.stride_w - shape.pad_left;
      pixels[i] = {first + i < end ? row : kOutside, col, ((n * shape.h + row) * shape.w + col) * shape.cin};
      if (++ow == shape.ow) ow = 0, ++oh;
      if (oh == shape.oh) oh = 0, ++n;
    }
  }
};

/// A row of a tile.
DLCORE_INLINE void store_pairs(std::byte* to, const Bfloat* first, const Bfloat* second) {
  const u32v low = __builtin_convertvector(load_half(first, kChannels), u32v);
  const u32v high = __builtin_convertvector(load_half(second, kChannels), u32v);
  store(reinterpret_cast<std::int32_t*>(to), bitcast<i32v>(low | high << 16));
}

/// by_row: rows are pixels, steps products; else the other way round.
void pack_rows(const Patches& x, Range rows, Range steps, bool by_row, const Panels& panels) {
  const std::int64_t height = parts(rows.size(), kTileRows), tiles = parts(steps.size(), kTileSteps);
  if (by_row) {
    for (std::int64_t i = 0; i < height; ++i) {
      Pixel pixels[kTileRows];
      x.locate(rows.begin + i * kTileRows, rows.end, pixels);
      Products products(x.shape, steps.begin);
      std::byte* tile = panels.data + i * panels.bytes;
      for (std::int64_t p = 0; p < tiles; ++p, tile += kTileBytes) {
        const Products first = products;
        products.advance();
        for (int r = 0; r < kTileRows; ++r)
          store_pairs(tile + r * kRowBytes, first.of(pixels[r], x.x), products.of(pixels[r], x.x));
        products.advance();
      }
    }
  } else {
    for (std::int64_t p = 0; p < tiles; ++p) {
      Pixel pixels[kTileSteps];
      x.locate(steps.begin + p * kTileSteps, steps.end, pixels);
      Products products(x.shape, rows.begin);
      for (std::int64_t i = 0; i < height; ++i, products.advance()) {
        std::byte* const tile = panels.data + i * panels.bytes + p * kTileBytes;
        for (int r = 0; r < kHalf; ++r)
          store_pairs(tile + r * kRowBytes, products.of(pixels[r], x.x), products.of(pixels[r + kHalf], x.x));
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
