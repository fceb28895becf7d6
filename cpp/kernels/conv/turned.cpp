#include "kernels/conv/turned.h"

namespace dlcore {

ConvShape turned(const ConvShape& s) {
  ConvShape turned = s;
  turned.h = s.oh, turned.w = s.ow, turned.cin = s.cout;
  turned.oh = s.h, turned.ow = s.w, turned.cout = s.cin;
  turned.pad_top = (s.kh - 1) * s.dilation_h - s.pad_top;
  turned.pad_left = (s.kw - 1) * s.dilation_w - s.pad_left;
  return turned;
}

StridedCopy turn_weights(std::int64_t taps, std::int64_t rows, std::int64_t cols, std::int64_t bytes) {
  const std::int64_t tap = rows * cols * bytes;
  StridedCopy copy;
  copy.element = static_cast<int>(bytes);
  copy.in_offset = (taps - 1) * tap;
  copy.add_axis(taps, -tap, tap);
  copy.add_axis(cols, bytes, rows * bytes);
  copy.add_axis(rows, cols * bytes, bytes);
  return simplify(copy);
}

namespace {

/// Pixels first, first + step, ... of an axis of x, which `taps` taps read: tap, tap + step, ...
struct AxisResidue {
  std::int64_t first, step, count;
  std::int64_t tap, taps;
  std::int64_t pad;  // of the convolution of unit stride that they are the output of
};

// h = stride * (oh + i) + tap - pad for taps tap + stride * i: pixel h is at position oh + i of its residue.
AxisResidue residue_of(std::int64_t tap, std::int64_t taps, std::int64_t size, std::int64_t stride,
                       std::int64_t dilation, std::int64_t pad) {
  const auto floor_div = [](std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); };
  AxisResidue r{};
  r.step = stride;
  r.tap = tap;
  r.taps = tap < taps ? (taps - tap - 1) / stride + 1 : 0;
  const std::int64_t begin = -floor_div(tap - pad, stride), end = floor_div(size - 1 + pad - tap, stride) + 1;
  r.first = stride * begin + tap - pad;
  r.count = end - begin;
  r.pad = (r.taps - 1) * dilation - begin;
  return r;
}

TurnedPart part_of(const ConvShape& s, const AxisResidue& rows, const AxisResidue& cols, std::int64_t bytes) {
  TurnedPart part;
  part.conv = turned(s);
  part.conv.kh = rows.taps, part.conv.kw = cols.taps;
  part.conv.oh = rows.count, part.conv.ow = cols.count;
  part.conv.stride_h = part.conv.stride_w = 1;
  part.conv.pad_top = rows.pad, part.conv.pad_left = cols.pad;
  const std::int64_t tap = s.cin * s.cout * bytes, pixel = s.cin * bytes;
  const std::int64_t from_one = part.has_taps() ? 1 : 0;
  const std::int64_t last_row = rows.tap + (rows.taps - 1) * rows.step,
                     last_col = cols.tap + (cols.taps - 1) * cols.step;
  part.weights.element = part.pixels.element = static_cast<int>(bytes);
  part.weights.in_offset = (last_row * s.kw + last_col) * tap;
  part.weights.add_axis(rows.taps, -rows.step * s.kw * tap, cols.taps * tap);
  part.weights.add_axis(cols.taps, -cols.step * tap, tap);
  part.weights.add_axis(s.cout, bytes, pixel);
  part.weights.add_axis(s.cin, s.cout * bytes, bytes);
  part.first = rows.first * s.w + cols.first;
  part.residue = {rows.tap, cols.tap};
  part.pixels.out_offset = part.first * pixel;
  part.pixels.add_axis(s.n, from_one * rows.count * cols.count * pixel, s.h * s.w * pixel);
  part.pixels.add_axis(rows.count, from_one * cols.count * pixel, rows.step * s.w * pixel);
  part.pixels.add_axis(cols.count, from_one * pixel, cols.step * pixel);
  part.pixels.add_axis(s.cin, from_one * bytes, bytes);
  part.weights = simplify(part.weights), part.pixels = simplify(part.pixels);
  return part;
}

}  // namespace

std::vector<TurnedPart> turned_parts(const ConvShape& s, std::int64_t bytes) {
  std::vector<TurnedPart> parts;
  for (std::int64_t row = 0; row < s.stride_h; ++row)
    for (std::int64_t col = 0; col < s.stride_w; ++col) {
      const AxisResidue rows = residue_of(row, s.kh, s.h, s.stride_h, s.dilation_h, s.pad_top);
      const AxisResidue cols = residue_of(col, s.kw, s.w, s.stride_w, s.dilation_w, s.pad_left);
      if (rows.count > 0 && cols.count > 0) parts.push_back(part_of(s, rows, cols, bytes));
    }
  return parts;
}

}  // namespace dlcore
