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

}  // namespace dlcore
