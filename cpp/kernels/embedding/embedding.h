// Rows looked up by index, and added back: the embedding and its gradient, and everything else that indexes.
//
//   gather:         y[o, i, :] = x[o, index[i], :]
//   scatter_add:    d[o, r, :] = sum of u[o, i, :] over all i with index[i] = r, added in the order of i
//   scatter_max, scatter_min, scatter_mul, scatter_set:
//                   y[o, r, :] = the greatest, smallest, product or last of x[o, r, :] and all u[o, i, :] with
//                   index[i] = r, in the order of i
//   gather_along:   y[o, i, c] = x[o, index[o, i, c], c]
//   scatter_along:  d[o, r, c] = sum of u[o, i, c] over all i with index[o, i, c] = r, added in the order of i
//
// x, d [outer, rows, inner];  y, u [outer, count, inner] (the y of scatter_max as x).  y and d are overwritten.  x and
// y are bytes: gathering does not care for the type.  T of the sums: the integers, float, double, Half or Bfloat
// (rounded at every addition). Threads split the rows that are written, so results do not depend on their number.
// Nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/float16.h"

namespace dlcore {

/// What an index outside [0, rows) means. Raise and Fill count a negative one from the end, as Python does.
enum class IndexMode {
  Raise,   // the caller checks first (first_bad_index)
  Strict,  // likewise, and negative ones are wrong too
  Clip,    // the nearest row
  Wrap,    // modulo rows
  Fill,    // gather gives zeros, scatter_add leaves it out
};

inline bool raises(IndexMode mode) { return mode == IndexMode::Raise || mode == IndexMode::Strict; }

struct Lookup {
  std::int64_t outer, rows, inner, count;
  IndexMode mode = IndexMode::Raise;
};

/// Position of the first of `n` indices outside [least, rows), or -1.
template <class Index>
std::int64_t first_bad_index(const Index* index, std::int64_t n, std::int64_t least, std::int64_t rows);

template <class Index>
void gather(const Lookup& lookup, std::size_t element_bytes, const void* x, const Index* index, void* y);
template <class T, class Index>
void scatter_add(const Lookup& lookup, const Index* index, const T* u, T* d);

/// NaN is the greatest and the smallest.
enum class Combine { Max, Min, Mul, Set };
template <class T, class Index>
void scatter_combine(const Lookup& lookup, Combine combine, const Index* index, const T* x, const T* u, T* y);

template <class Index>
void gather_along(const Lookup& lookup, std::size_t element_bytes, const void* x, const Index* index, void* y);
template <class T, class Index>
void scatter_along(const Lookup& lookup, const Index* index, const T* u, T* d);

/// The different indices, in the order in which they come first, and for each index the position of its like:
/// unique[inverse[i]] = index[i]. Where too few are repeated for anyone to gain by it, all are taken as different.
/// The rest of unique [count] is `rows`, which no index is. count <= 2^31 - 1.
template <class Index>
void unique_indices(const Index* index, std::int64_t count, std::int64_t rows, Index* unique, std::int32_t* inverse,
                    void* scratch);
std::size_t unique_indices_scratch_bytes(std::int64_t count);

/// y [count, depth] is zero but for y[i, index[i]] = one, whose `element_bytes` bytes are given.
template <class Index>
void one_hot(std::int64_t count, std::int64_t depth, const Index* index, const void* one, std::size_t element_bytes,
             void* y);

}  // namespace dlcore
