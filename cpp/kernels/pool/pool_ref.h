// Pooling by definition. The oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/pool/pool.h"

namespace dlcore {

/// body(output pixel, position in the window, input pixel) for every pixel of every window, in the window's order.
template <class Body>
void for_each_pooled(const PoolShape& s, const Body& body) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t oh = 0; oh < s.oh; ++oh)
      for (std::int64_t ow = 0; ow < s.ow; ++ow)
        for (std::int64_t i = 0; i < s.pool_h; ++i)
          for (std::int64_t j = 0; j < s.pool_w; ++j) {
            const std::int64_t h = oh * s.stride_h - s.pad_top + i, w = ow * s.stride_w - s.pad_left + j;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            body((n * s.oh + oh) * s.ow + ow, i * s.pool_w + j, (n * s.h + h) * s.w + w);
          }
}

/// argmax: -1 on entry.
template <class T>
void max_pool_ref(const PoolShape& s, const T* x, T* y, std::int64_t* argmax) {
  for_each_pooled(s, [&](std::int64_t out, std::int64_t position, std::int64_t in) {
    for (std::int64_t c = 0; c < s.c; ++c) {
      const T candidate = x[in * s.c + c];
      T& best = y[out * s.c + c];
      const bool first = argmax[out * s.c + c] < 0;
      if (!first && (std::isnan(best) || !(candidate > best || std::isnan(candidate)))) continue;
      best = candidate;
      argmax[out * s.c + c] = position;
    }
  });
}

/// Adds to dx.
template <class T, class Argmax>
void max_pool_backward_ref(const PoolShape& s, const T* dy, const Argmax* argmax, double* dx) {
  for_each_pooled(s, [&](std::int64_t out, std::int64_t position, std::int64_t in) {
    for (std::int64_t c = 0; c < s.c; ++c)
      if (argmax[out * s.c + c] == position) dx[in * s.c + c] += dy[out * s.c + c];
  });
}

/// counts [N,OH,OW], zero on entry.
inline void count_pooled_ref(const PoolShape& s, double* counts) {
  for_each_pooled(s, [&](std::int64_t out, std::int64_t, std::int64_t) { counts[out] += 1; });
}
template <class T>
void average_pool_ref(const PoolShape& s, const double* counts, const T* x, double* y) {
  for_each_pooled(s, [&](std::int64_t out, std::int64_t, std::int64_t in) {
    for (std::int64_t c = 0; c < s.c; ++c) y[out * s.c + c] += x[in * s.c + c] / counts[out];
  });
}
template <class T>
void average_pool_backward_ref(const PoolShape& s, const double* counts, const T* dy, double* dx) {
  for_each_pooled(s, [&](std::int64_t out, std::int64_t, std::int64_t in) {
    for (std::int64_t c = 0; c < s.c; ++c) dx[in * s.c + c] += dy[out * s.c + c] / counts[out];
  });
}

}  // namespace dlcore
