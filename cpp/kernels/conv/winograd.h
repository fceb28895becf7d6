// Convolution of NHWC images with 3x3 filters, stride 1, by Winograd's minimal filtering F(4x4, 3x3): a tile of 4x4
// outputs takes 36 products per pair of channels instead of 144.
//
//   Y = AT [ (G w GT) * (BT x B) ] A        x a 6x6 patch, * element by element and summed over the input channels
//
// so with patches and filters transformed, 36 matrix products [tiles, cin] x [cin, cout] remain. The gradient to the
// weights is F(3x3, 4x4), with the tiles of dy for filters: 36 products [cin, tiles] x [tiles, cout]. The interpolation
// points are 0, +-1/sqrt(2), +-sqrt(2) and infinity: with them the error is that of summing directly (with the usual
// 0, +-1, +-2 it is twice as large).
//
// Where the output goes through max pooling of 2x2, its pixels need not be stored: a tile has four whole windows.
//
// Sources: Winograd 1980, "Arithmetic complexity of computations"; Lavin & Gray 2016 (tiles over channels); Barabasz et
// al. 2020, "Error analysis and improving the accuracy of Winograd convolution" (points).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/conv/conv.h"
#include "kernels/movement/movement.h"
#include "kernels/scratch.h"

namespace dlcore {

struct WinogradShape {
  std::int64_t n, h, w, cin;
  std::int64_t oh, ow, cout;
  std::int64_t pad_top, pad_left;  // what lies beyond the other edges follows from oh and ow
  bool pooled = false;             // max pooling of 2x2, stride 2: of y, [N, oh/2, ow/2, Cout] are computed
  bool has_filters = false;        // the filters come transformed, by transform_winograd_filters
  bool bfloat = false;             // images are Bfloat: x, y and their gradients; not when pooled

  [[gnu::always_inline]] std::int64_t tiles_h() const { return ((pooled ? oh / 2 * 2 : oh) + 3) / 4; }
  [[gnu::always_inline]] std::int64_t tiles_w() const { return ((pooled ? ow / 2 * 2 : ow) + 3) / 4; }
  std::int64_t tiles() const { return n * tiles_h() * tiles_w(); }
};

/// Whether it is a convolution with 3x3 filters, stride 1.
bool is_unit_3x3(const ConvShape& shape);
/// Of such a one, and of its gradient to the input, where dy takes the place of x.
WinogradShape winograd_shape(const ConvShape& shape);
WinogradShape winograd_input_shape(const ConvShape& shape);

/// Whether the transforms cost less than the products that they save.
bool winograd_saves_work(const WinogradShape& shape);
bool winograd_weights_saves_work(const WinogradShape& shape);

/// U = G w GT of filters w [3,3,Cin,Cout], for shapes with has_filters.
std::int64_t winograd_filter_elements(std::int64_t cin, std::int64_t cout);
void transform_winograd_filters(std::int64_t cin, std::int64_t cout, const float* w, float* transformed);

/// Some tiles in a row, numbered (n, row, column), and where their results go.
struct WinogradBlock {
  std::int64_t first, count;
  const void* x;
  const float* bias;
  Activation activation;
  void* y;
  std::uint8_t* argmax;
  float* patches;        // [36, count, Cin], transformed
  float* products;       // [36, count, width]: room
  const void* no_pixel;  // Cin zeros
};

/// Planned for one shape; run() allocates nothing, needs scratch_bytes() of 64-byte aligned scratch, writes every
/// element of its output, and splits the tiles among threads by the shape only.
class Winograd {
 public:
  /// turned: w is [3,3,Cout,Cin], turned by 180 degrees. So the gradient dx of a convolution is the convolution of dy.
  explicit Winograd(const WinogradShape& shape, bool turned = false);
  std::size_t scratch_bytes() const;
  /// y = activation(conv(x, w) + bias), w [3,3,Cin,Cout] or transformed. bias may be null. For a pooled shape, with no
  /// or Relu activation, y is what the pooling gives, and argmax the position of each maximum in its window (pool.h),
  /// or null when it is not wanted. x and y are float, or Bfloat as the shape says: then with no or Relu activation.
  void run(const void* x, const float* w, const float* bias, Activation activation, void* y, std::uint8_t* argmax,
           void* scratch) const;

 private:
  void run_by_tiles(const float* w, const WinogradBlock& all, Scratch free) const;
  void run_by_panels(const float* w, const WinogradBlock& all, Scratch free) const;
  std::int64_t turned_elements() const { return turned_ ? 9 * shape_.cin * shape_.cout : 0; }

  WinogradShape shape_;
  bool turned_;
  StridedCopy turn_;
  bool by_panels_;      // few tiles: threads share the panels of filters
  std::int64_t block_;  // tiles that are computed together
  int workers_;
};

/// dw [3,3,Cin,Cout] of the convolution from x and dy, of float or as the shape says; likewise planned once.
class WinogradBackwardWeights {
 public:
  explicit WinogradBackwardWeights(const WinogradShape& shape);
  std::size_t scratch_bytes() const;
  void run(const void* x, const void* dy, float* dw, void* scratch) const;

 private:
  WinogradShape shape_;
  std::int64_t block_;  // tiles whose transforms are kept at a time: they stay in L3
};

// ---- what one instruction set provides

/// Transformed patches of x and tiles of dy: [36, room, Cin] and [36, room, Cout].
struct WinogradPairs {
  const void *x, *dy;
  const void* no_pixel;  // max(Cin, Cout) zeros
  float *patches, *tiles;
  std::int64_t room;
};

struct WinogradKernels {
  int rows, width;  // of a register tile: tiles of the image, output channels of a panel
  /// The filters [36, Cin, width] of one panel, transformed, for the input channels [first, last). Where the last panel
  /// has no output channels, they are zeros.
  void (*transform_filters)(std::int64_t cin, std::int64_t cout, const float* w, std::int64_t panel, std::int64_t first,
                            std::int64_t last, float* transformed);
  /// The block's patches, transformed.
  void (*transform_patches)(const WinogradShape& shape, const WinogradBlock& block);
  /// The block's results for the output channels of one panel, whose transformed filters are given; with Relu at most.
  void (*run_panel)(const WinogradShape& shape, const WinogradBlock& block, std::int64_t panel, const float* filters);
  /// The activations other than Relu, on the block's results.
  void (*activate)(const WinogradShape& shape, const WinogradBlock& block);
  /// Tile `tile` of the shape as number `at` of the pairs.
  void (*transform_pair)(const WinogradShape& shape, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at);
  /// sums [36, Cin, Cout] (+)= patches^T tiles for one product over `count` pairs.
  void (*add_pairs)(const WinogradShape& shape, const WinogradPairs& pairs, int product, std::int64_t count,
                    float* sums, bool accumulate);
  /// dw out of the sums, for input channel `cin`.
  void (*store_weights)(const WinogradShape& shape, const float* sums, std::int64_t cin, float* dw);
};
const WinogradKernels& winograd_kernels();

}  // namespace dlcore
