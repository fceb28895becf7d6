// Shapes of convolutions, for their tests.
#pragma once

#include <cstdint>
#include <string>

#include "dlcore/error.h"
#include "kernels/conv/conv.h"

namespace dlcore::testing {

struct Padding {
  std::int64_t low, high;
};

/// Of an axis of a convolution.
inline std::int64_t out_size(std::int64_t in, std::int64_t k, std::int64_t stride, std::int64_t dilation, Padding pad) {
  return (in + pad.low + pad.high - (k - 1) * dilation - 1) / stride + 1;
}

inline std::string text_of(const ConvShape& s) {
  return str("x ", s.n, 'x', s.h, 'x', s.w, 'x', s.cin, ", y ", s.oh, 'x', s.ow, 'x', s.cout, ", kernel ", s.kh, 'x',
             s.kw, ", strides ", s.stride_h, ',', s.stride_w, ", dilation ", s.dilation_h, ',', s.dilation_w, ", pads ",
             s.pad_top, ',', s.pad_left, ", groups ", s.groups);
}

}  // namespace dlcore::testing
