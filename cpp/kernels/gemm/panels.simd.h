// Products of few rows with packed weights. Only for *.simd.cpp.
#pragma once

#include "base/parallel.h"
#include "kernels/gemm/gemv.simd.h"
#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {

/// Weights [k, cols] as panels of kNr columns.
template <class T>
constexpr std::int64_t panel_elements(std::int64_t k, std::int64_t cols) {
  return (cols + kNr<T> - 1) / kNr<T> * kNr<T> * k;
}

/// The panels of w [k, cols] (rows ld apart), or of its transpose: w [cols, k].
template <class T>
void pack_weights(const T* w, std::int64_t ld, bool transposed, std::int64_t k, std::int64_t cols, T* panels) {
  parallel_for((cols + kNr<T> - 1) / kNr<T>, 0.2 * static_cast<double>(k * cols), [&](std::int64_t panel) {
    const std::int64_t j = panel * kNr<T>;
    const int width = static_cast<int>(min_of<std::int64_t>(kNr<T>, cols - j));
    pack_panel(panels + j * k, kNr<T>, transposed ? w + j * ld : w + j, ld, transposed, width, k);
  });
}

/// What is read or written after a product, and fetched into L2 during it, where tiles have the time.
template <class T>
struct Later {
  const T* data = nullptr;
  std::int64_t elements = 0;

  /// What a tile of so many steps takes of it.
  DLCORE_INLINE Ahead<T> take(std::int64_t steps) {
    constexpr std::int64_t kLine = kCacheLine / sizeof(T);
    if (!data || elements <= 0) return {};
    const Ahead<T> ahead{data, nullptr, true};
    data += steps * kLine, elements -= steps * kLine;
    return ahead;
  }
};

/// C[rows, width] (+)= A[rows, k] * width <= kNr columns of B, its rows ldb apart: kNr in a panel.
template <class T>
void multiply_panel(std::int64_t rows, int width, std::int64_t k, const T* a, std::int64_t lda, const T* b,
                    std::int64_t ldb, T* c, std::int64_t ldc, bool accumulate, Later<T>* later = nullptr) {
  const std::int64_t tiles = (rows + kMr<T> - 1) / kMr<T>;
  const std::int64_t height = (rows + tiles - 1) / tiles;  // even tiles: none is left with a row or two
  for (std::int64_t i = 0; i < rows; i += height)
    gemm_ukernel(static_cast<int>(min_of(height, rows - i)), width, k, a + i * lda, lda, std::int64_t{1}, b, ldb,
                 c + i * ldc, ldc, accumulate, later ? later->take(k) : Ahead<T>{});
}

/// C[rows, cols] (+)= A[rows, k] * W[k, cols], W as panels.
template <class T>
void multiply(std::int64_t rows, std::int64_t cols, std::int64_t k, const T* a, std::int64_t lda, const T* panels, T* c,
              std::int64_t ldc, bool accumulate, Later<T> later = {}) {
  if (rows == 1) return gemv_packed(k, a, std::int64_t{1}, panels, kNr<T> * k, c, cols, accumulate);
  for (std::int64_t j = 0; j < cols; j += kNr<T>, panels += k * kNr<T>)
    multiply_panel(rows, static_cast<int>(min_of<std::int64_t>(kNr<T>, cols - j)), k, a, lda, panels,
                   std::int64_t{kNr<T>}, c + j, ldc, accumulate, &later);
}

}  // namespace dlcore::DLCORE_ISA
