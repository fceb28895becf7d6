// Convolution and its gradients by definition, summed in double. The oracle of the tests.
#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"

namespace dlcore {

/// Calls body(y_index, x_index, w_index) for every product in the sum of every output element.
template <class Body>
void for_each_conv_product(const ConvShape& s, const Body& body) {
  const std::int64_t in = s.cin_per_group(), out = s.cout_per_group();
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t oh = 0; oh < s.oh; ++oh)
      for (std::int64_t ow = 0; ow < s.ow; ++ow)
        for (std::int64_t kh = 0; kh < s.kh; ++kh)
          for (std::int64_t kw = 0; kw < s.kw; ++kw) {
            const std::int64_t h = oh * s.stride_h + kh * s.dilation_h - s.pad_top;
            const std::int64_t w = ow * s.stride_w + kw * s.dilation_w - s.pad_left;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            for (std::int64_t co = 0; co < s.cout; ++co)
              for (std::int64_t ci = 0; ci < in; ++ci)
                body(((n * s.oh + oh) * s.ow + ow) * s.cout + co,
                     ((n * s.h + h) * s.w + w) * s.cin + co / out * in + ci,
                     ((kh * s.kw + kw) * in + ci) * s.cout + co);
          }
}

/// Each adds to its output.
template <class T>
void conv_forward_ref(const ConvShape& s, const T* x, const T* w, double* y) {
  for_each_conv_product(s, [&](std::int64_t y_at, std::int64_t x_at, std::int64_t w_at) {
    y[y_at] += static_cast<double>(x[x_at]) * w[w_at];
  });
}
template <class T>
void conv_backward_input_ref(const ConvShape& s, const T* dy, const T* w, double* dx) {
  for_each_conv_product(s, [&](std::int64_t y_at, std::int64_t x_at, std::int64_t w_at) {
    dx[x_at] += static_cast<double>(dy[y_at]) * w[w_at];
  });
}
template <class T>
void conv_backward_weights_ref(const ConvShape& s, const T* x, const T* dy, double* dw) {
  for_each_conv_product(s, [&](std::int64_t y_at, std::int64_t x_at, std::int64_t w_at) {
    dw[w_at] += static_cast<double>(x[x_at]) * dy[y_at];
  });
}

}  // namespace dlcore
