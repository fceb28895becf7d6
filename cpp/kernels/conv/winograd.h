// Convolution of NHWC images by Winograd's minimal filtering: m outputs of a filter of r taps take m + r - 1 products
// instead of m r; F(m, r). Along both axes, F(4x4, 3x3): a tile of 4x4 outputs takes 36 products per pair of channels
// instead of 144.
//
//   Y = AT [ (G w GT) * (BT x B) ] A        x a 6x6 patch, * element by element and summed over the input channels
//
// so with patches and filters transformed, 36 matrix products [tiles, cin] x [cin, cout] remain. The gradient to the
// weights is F(3x3, 4x4), with the tiles of dy for filters: 36 products [cin, tiles] x [tiles, cout]. F(4x4, 2x2) takes
// 25.
//
// Other filters are cut into segments whose taps read pixels that are equally far apart: along an axis one for each
// residue of the taps by the stride, and for every r of those. The products of all segments are added up, as those of
// more input channels would be: [tiles, segments cin] x [segments cin, cout].
//
// Filters of one row, dilated ones, and those that take fewer products so: by F(m, r) along a row, r from 2 to 5
// and m = 9 - r, where each row is a segment of its own: 8 products instead of 14 to 20. With a dilation d, neighbours
// in a tile are d apart.
//
// The interpolation points are 0, +-1/sqrt(2), +-sqrt(2) and infinity: with them the error of F(4x4, 3x3) is that of
// summing directly (with the usual 0, +-1, +-2 it is twice as large); for r = 2 the same but -sqrt(2). Along a row they
// are 0, +-1/2, +-1, +-2 and infinity.
//
// Where the output goes through max pooling of 2x2, its pixels need not be stored: a tile of 4x4 has four whole
// windows.
//
// Sources: Winograd 1980, "Arithmetic complexity of computations"; Lavin & Gray 2016 (tiles over channels); Barabasz et
// al. 2020, "Error analysis and improving the accuracy of Winograd convolution" (points).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/activation.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/turned.h"
#include "kernels/movement/movement.h"
#include "kernels/scratch.h"

namespace dlcore {

/// A convolution of one group, and how it is cut: by its filters alone, whatever the images' sizes are.
struct WinogradShape : ConvShape {
  explicit WinogradShape(const ConvShape& shape);

  bool pooled = false;       // max pooling of 2x2, stride 2: of y, [N, oh/2, ow/2, Cout] are computed; of a unit_3x3
  bool has_filters = false;  // the filters come transformed, by transform_winograd_filters
  bool bfloat = false;       // images are Bfloat: x, y and their gradients; not when pooled
  // Elements from a pixel, a row and an image of y to the next; 0: there is nothing between them. Not when pooled.
  std::int64_t y_pixel = 0, y_row = 0, y_image = 0;

  bool is_square;     // F(4x4, taps x taps); otherwise F(9 - taps, taps) along a row
  std::int64_t taps;  // r
  // Along an axis: segments of each residue of its taps, and of all. Of lines each row is one.
  std::int64_t chunks_h, chunks_w, segments_h, segments_w;

  [[gnu::always_inline]] std::int64_t products() const { return is_square ? (taps + 3) * (taps + 3) : 8; }
  [[gnu::always_inline]] std::int64_t segments() const { return segments_h * segments_w; }
  /// Terms of a sum.
  [[gnu::always_inline]] std::int64_t depth() const { return segments() * cin; }
  /// Elements from one transformed patch to the next: rows of a tile that are 2 KB apart, or a multiple of it, would
  /// meet in the same sets of the first cache.
  [[gnu::always_inline]] std::int64_t patch_row() const { return depth() % 512 == 0 ? depth() + 16 : depth(); }

  [[gnu::always_inline]] std::int64_t tile_rows() const { return is_square ? 4 : 1; }
  [[gnu::always_inline]] std::int64_t tile_cols() const { return is_square ? 4 : 9 - taps; }
  /// Tiles of columns that are dilation_w apart: of one residue.
  [[gnu::always_inline]] std::int64_t tiles_of_residue() const {
    return parts(parts(used(ow), dilation_w), tile_cols());
  }
  [[gnu::always_inline]] std::int64_t tiles_h() const { return parts(used(oh), tile_rows()); }
  [[gnu::always_inline]] std::int64_t tiles_w() const {
    return (dilation_w < ow ? dilation_w : ow) * tiles_of_residue();
  }
  [[gnu::always_inline]] std::int64_t tiles() const { return n * tiles_h() * tiles_w(); }
  [[gnu::always_inline]] std::int64_t weights() const { return kh * kw * cin * cout; }

 private:
  [[gnu::always_inline]] static std::int64_t parts(std::int64_t all, std::int64_t size) {
    return (all + size - 1) / size;
  }
  [[gnu::always_inline]] std::int64_t used(std::int64_t size) const { return pooled ? size / 2 * 2 : size; }
};

/// Whether it is a convolution that Winograd's algorithm can compute: of one group, with filters wider than the stride,
/// of a unit stride or dilation along a row.
bool fits_winograd(const ConvShape& shape);
/// Of 3x3 filters with unit strides: F(4x4, 3x3) of one segment.
bool is_unit_3x3(const ConvShape& shape);

/// Whether the transforms cost less than the products that they save: of the output, or of that to the weights.
bool winograd_saves_work(const WinogradShape& shape);
bool winograd_weights_saves_work(const WinogradShape& shape);
/// Of the gradient to the input, the parts of which they do.
std::vector<TurnedPart> winograd_parts_of_input(const ConvShape& shape);

/// U, the filters w [kh,kw,Cin,Cout] transformed, for shapes with has_filters. Of the shape, what belongs to the
/// filters counts: their sizes, the channels, strides and dilations.
std::int64_t winograd_filter_elements(const WinogradShape& shape);
void transform_winograd_filters(const WinogradShape& shape, const float* w, float* transformed);

/// Some tiles in a row, numbered (n, row, column), and where their results go.
struct WinogradBlock {
  std::int64_t first, count;
  const void* x;
  const float* bias;
  Activation activation;
  void* y;
  std::uint8_t* argmax;
  float* patches;        // [products, count, patch_row], transformed
  float* products;       // [products, count, width]: room
  const void* no_pixel;  // Cin zeros
};

/// Planned for one shape; run() allocates nothing, needs scratch_bytes() of 64-byte aligned scratch, writes every
/// element of its output, and splits the tiles among threads by the shape only.
class Winograd {
 public:
  explicit Winograd(const WinogradShape& shape);
  std::size_t scratch_bytes() const;
  /// y = activation(conv(x, w) + bias), w [kh,kw,Cin,Cout] or transformed. bias may be null. For a pooled shape, with
  /// no or Relu activation, y is what the pooling gives, and argmax the position of each maximum in its window
  /// (pool.h), or null when it is not wanted. x and y are float, or Bfloat as the shape says: then with no or Relu
  /// activation.
  void run(const void* x, const float* w, const float* bias, Activation activation, void* y, std::uint8_t* argmax,
           void* scratch) const;

 private:
  void run_by_tiles(const float* w, const WinogradBlock& all, Scratch free) const;
  void run_by_panels(const float* w, const WinogradBlock& all, Scratch free) const;

  WinogradShape shape_;
  bool by_panels_;      // few tiles: threads share the panels of filters
  std::int64_t block_;  // tiles that are computed together
  int workers_;
};

/// dx from dy and w [kh,kw,Cin,Cout]: a convolution of dy with turned filters, of unit stride, for the pixels of each
/// residue by the strides. Those of the given parts (turned_parts) by Winograd's algorithm, the rest summed directly.
/// bfloat: dy and dx are Bfloat; then the parts are all.
class WinogradBackwardInput {
 public:
  WinogradBackwardInput(const ConvShape& shape, const std::vector<TurnedPart>& parts, bool bfloat = false);
  std::size_t scratch_bytes() const;
  void run(const void* dy, const float* w, void* dx, void* scratch) const;

 private:
  struct Part {
    TurnedPart turned;
    Winograd conv;
  };
  ConvShape shape_;
  std::int64_t pixel_bytes_;
  std::vector<Part> parts_;
  std::optional<ConvBackwardInput<float>> rest_;
};

/// Transformed patches of x and tiles of dy: [products, room, patch_row] and [products, room, Cout].
struct WinogradPairs {
  const void *x, *dy;
  const void* no_pixel;  // max(Cin, Cout) zeros
  float *patches, *tiles;
  std::int64_t room;
};

/// dw [kh,kw,Cin,Cout] of the convolution from x and dy, of float or as the shape says; likewise planned once.
class WinogradBackwardWeights {
 public:
  explicit WinogradBackwardWeights(const WinogradShape& shape);
  std::size_t scratch_bytes() const;
  void run(const void* x, const void* dy, float* dw, void* scratch) const;

 private:
  std::int64_t room_for_patches() const;
  std::int64_t room_elements() const;
  void add_by_shares(const WinogradPairs& pairs, float* sums) const;
  void add_by_products(const WinogradPairs& pairs, float* sums) const;

  WinogradShape shape_;
  std::int64_t shares_;  // of the tiles, each with sums of its own, or 0
  std::int64_t block_;   // tiles whose transforms are kept at a time: of a thread in L2, of all in L3
  int rooms_;            // for such blocks
};

// ---- what one instruction set provides

struct WinogradKernels {
  int rows, width;  // of a register tile: tiles of the image, output channels of a panel
  /// The filters [products, depth, width] of one panel, transformed, for the terms [first, last) of the depth, which
  /// are numbered (segment, input channel). Where the last panel has no output channels, they are zeros.
  void (*transform_filters)(const WinogradShape& shape, const float* w, std::int64_t panel, std::int64_t first,
                            std::int64_t last, float* transformed);
  /// The block's patches, transformed.
  void (*transform_patches)(const WinogradShape& shape, const WinogradBlock& block);
  /// The block's results for the output channels of one panel, whose transformed filters are given; with Relu at most.
  void (*run_panel)(const WinogradShape& shape, const WinogradBlock& block, std::int64_t panel, const float* filters);
  /// The activations other than Relu, on the block's results.
  void (*activate)(const WinogradShape& shape, const WinogradBlock& block);
  /// Tile `tile` of the shape as number `at` of the pairs.
  void (*transform_pair)(const WinogradShape& shape, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at);
  /// sums [products, depth, Cout] (+)= patches^T tiles for one product over `count` pairs, terms [first, last).
  void (*add_pairs)(const WinogradShape& shape, const WinogradPairs& pairs, int product, std::int64_t count,
                    std::int64_t first, std::int64_t last, float* sums, bool accumulate);
  /// dw out of the sums, for one term of the depth.
  void (*store_weights)(const WinogradShape& shape, const float* sums, std::int64_t term, float* dw);
};
const WinogradKernels& winograd_kernels();

}  // namespace dlcore
