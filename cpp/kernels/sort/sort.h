// Order along an axis of x [outer, size, inner]: every line x[o, :, c] on its own.
//
// NaN counts as greater than every number. Equal elements keep the order of their indices, descending too.
// T: bool, the integers, float, double, Half or Bfloat.
// Threads split the lines. scratch: sort_scratch_bytes, 16-byte aligned. Longer lines are sorted digit by digit (Knuth
// 1998, 5.2.5).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/float16.h"

namespace dlcore {

struct Lines {
  std::int64_t outer, size, inner;
};

std::size_t sort_scratch_bytes(const Lines& lines, std::size_t element_bytes);

/// The first k (<= size) of every line in order: values [outer, k, inner] and indices likewise; each may be null.
template <class T>
void sort_lines(const Lines& lines, std::int64_t k, bool descending, const T* x, T* values, std::int32_t* indices,
                void* scratch);

/// Running sum or product: y[j] = x[0] + ... + x[j], without x[j] itself when `exclusive`, from the end when `reverse`.
/// float and 16-bit floats are added up in double.
template <class T>
void cumsum_lines(const Lines& lines, bool exclusive, bool reverse, const T* x, T* y);
template <class T>
void cumprod_lines(const Lines& lines, bool exclusive, bool reverse, const T* x, T* y);

/// Gradient of cumprod; no division, so zeros in x are no special case.
template <class T>
void cumprod_grad_lines(const Lines& lines, bool exclusive, bool reverse, const T* dy, const T* x, T* dx);

/// index[i]: how many elements of `sorted` [size] are less than value[i] (`right`: less or equal).
template <class T>
void search_sorted(const T* sorted, std::int64_t size, const T* value, std::int64_t count, bool right,
                   std::int32_t* index);

}  // namespace dlcore
