// Blocks of a matrix stored as their transpose. Only for *.simd.cpp.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// c[i * ldc + j] = x[j * ldx + i] for i < rows and j < cols.
template <class T>
void store_transposed(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols, T* c, std::int64_t ldc) {
  constexpr int kWidth = kLanes<T>;
  for (std::int64_t i = 0; i < rows; i += kWidth) {
    const int height = static_cast<int>(min_of<std::int64_t>(kWidth, rows - i));
    for (std::int64_t j = 0; j < cols; j += kWidth) {
      const int width = static_cast<int>(min_of<std::int64_t>(kWidth, cols - j));
      vec<T> square[kWidth];
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r) {
        const T* from = x + (j + r) * ldx + i;
        square[r] = r >= width ? vec<T>{} : height == kWidth ? load(from) : load_partial(from, height);
      }
      transpose<T>(square);
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r)
        if (r < height) store_partial(c + (i + r) * ldc + j, square[r], width);
    }
  }
}

}  // namespace dlcore::DLCORE_ISA
