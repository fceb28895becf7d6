#include "kernels/conv/blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/conv/tile.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

constexpr std::int64_t kLeastOutputs = 1 << 10;  // pixels in all, for which it pays to write v
constexpr double kLeastGain = 1.25;              // in products of vectors

ConvShape in_blocks(const ConvShape& s, std::int64_t pixels) {
  ConvShape blocked = s;
  blocked.ow = (s.ow + pixels - 1) / pixels;
  blocked.cout = s.cout * pixels;
  blocked.kw = s.kw + pixels - 1;
  blocked.stride_w = pixels;
  return blocked;
}

StridedCopy exchanged(StridedCopy copy) {
  for (int axis = 0; axis < copy.rank; ++axis) std::swap(copy.in_stride[axis], copy.out_stride[axis]);
  std::swap(copy.in_offset, copy.out_offset);
  return simplify(copy);
}

}  // namespace

template <class T>
std::int64_t pixels_of_block(const ConvShape& s) {
  if (s.groups > 1 || s.stride_w > 1 || s.dilation_w > 1 || s.kw == 1 || s.n * s.oh * s.ow < kLeastOutputs) return 1;
  const TileSet<T>& tiles = tile_set<T>();
  // Vectors of products per pixel and row of the filter.
  const auto cost = [&](std::int64_t pixels) {
    const ConvShape blocked = in_blocks(s, pixels);
    const double rounding = static_cast<double>(blocked.ow * pixels) / static_cast<double>(s.ow);
    return rounding * static_cast<double>(blocked.kw * tiles.vectors_of(blocked.cout)) / static_cast<double>(pixels);
  };
  std::int64_t best = 1;
  for (std::int64_t pixels = 2; pixels * s.cout <= tiles.max_vectors * tiles.lanes; ++pixels)
    if (cost(pixels) < cost(best)) best = pixels;
  return cost(best) * kLeastGain <= cost(1) ? best : 1;
}

Blocks::Blocks(const ConvShape& s, std::int64_t pixels, std::int64_t bytes)
    : pixels(pixels), conv(in_blocks(s, pixels)), are_whole(conv.ow * pixels == s.ow) {
  const std::int64_t taps = s.kw * s.cin, pixel = s.cout * bytes, row = conv.cout * bytes;
  weights.element = static_cast<int>(bytes);
  weights.add_axis(pixels, 0, s.cin * row + pixel);
  weights.add_axis(s.kh, taps * pixel, conv.kw * conv.cin * row);
  weights.add_axis(taps, pixel, row);
  weights.add_axis(s.cout, bytes, bytes);
  weights = simplify(weights);
  outputs.element = static_cast<int>(bytes);
  outputs.add_axis(s.n * s.oh, conv.ow * row, s.ow * pixel);
  outputs.add_axis(s.ow * s.cout, bytes, bytes);
  outputs = simplify(outputs);
}

// ------------------------------------------------------------------------------------------------------------- forward

template <class T>
BlockedForward<T>::BlockedForward(const ConvShape& shape)
    : blocks_(shape, pixels_of_block<T>(shape), sizeof(T)), forward_(blocks_.conv) {}

template <class T>
std::size_t BlockedForward<T>::scratch_bytes() const {
  return bytes_of<T>(blocks_.weight_elements()) + bytes_of<T>(blocks_.conv.cout) +
         bytes_of<T>(blocks_.output_elements()) + forward_.scratch_bytes();
}

template <class T>
void BlockedForward<T>::run(const T* x, const T* w, const T* bias, Activation activation, T* y, void* scratch) const {
  Scratch free(scratch);
  T* const weights = free.take<T>(blocks_.weight_elements());
  std::memset(weights, 0, sizeof(T) * blocks_.weight_elements());
  movement_kernels().strided_copy(blocks_.weights, w, weights);
  T* const biases = free.take<T>(blocks_.conv.cout);
  const std::int64_t channels = blocks_.conv.cout / blocks_.pixels;
  for (std::int64_t c = 0; bias && c < blocks_.conv.cout; ++c) biases[c] = bias[c % channels];
  T* const outputs = free.take<T>(blocks_.output_elements());
  T* const target = blocks_.are_whole ? y : outputs;
  forward_.run(x, weights, bias ? biases : nullptr, activation, target, free.take<T>(0));
  if (!blocks_.are_whole) movement_kernels().strided_copy(blocks_.outputs, outputs, y);
}

// ---------------------------------------------------------------------------------------------------- backward weights

template <class T>
BlockedBackwardWeights<T>::BlockedBackwardWeights(const ConvShape& shape)
    : shape_(shape),
      blocks_(shape, pixels_of_block<T>(shape), sizeof(T)),
      whole_(exchanged(blocks_.outputs)),
      backward_(blocks_.conv) {}

template <class T>
std::size_t BlockedBackwardWeights<T>::scratch_bytes() const {
  return bytes_of<T>(blocks_.weight_elements()) + bytes_of<T>(blocks_.output_elements()) + backward_.scratch_bytes();
}

template <class T>
void BlockedBackwardWeights<T>::run(const T* x, const T* dy, T* dw, void* scratch) const {
  Scratch free(scratch);
  T* const weights = free.take<T>(blocks_.weight_elements());
  T* const outputs = free.take<T>(blocks_.output_elements());
  if (!blocks_.are_whole) {
    std::memset(outputs, 0, sizeof(T) * blocks_.output_elements());
    movement_kernels().strided_copy(whole_, dy, outputs);
    dy = outputs;
  }
  backward_.run(x, dy, weights, free.take<T>(0));
  const std::int64_t channels = shape_.cout, row = blocks_.conv.cout, taps = shape_.kw * shape_.cin;
  std::fill_n(dw, shape_.kh * taps * channels, T{0});
  for (std::int64_t r = 0; r < blocks_.pixels; ++r)
    for (std::int64_t kh = 0; kh < shape_.kh; ++kh) {
      const T* const from = weights + (kh * blocks_.conv.kw + r) * shape_.cin * row + r * channels;
      T* const to = dw + kh * taps * channels;
      for (std::int64_t tap = 0; tap < taps; ++tap)
        for (std::int64_t c = 0; c < channels; ++c) to[tap * channels + c] += from[tap * row + c];
    }
}

template std::int64_t pixels_of_block<float>(const ConvShape&);
template std::int64_t pixels_of_block<double>(const ConvShape&);
template class BlockedForward<float>;
template class BlockedForward<double>;
template class BlockedBackwardWeights<float>;
template class BlockedBackwardWeights<double>;

}  // namespace dlcore
