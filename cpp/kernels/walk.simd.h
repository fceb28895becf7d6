// Walking the numbers of a row as whole vectors and, last, a part of one: body(j, span) reads and writes through get
// and put. Only for *.simd.cpp.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

struct WholeVector {};
struct PartVector {
  int lanes;
};
template <class T>
DLCORE_INLINE vec<T> get(const T* p, WholeVector) {
  return load(p);
}
template <class T>
DLCORE_INLINE vec<T> get(const T* p, PartVector part) {
  return load_partial(p, part.lanes);
}
template <class T>
DLCORE_INLINE void put(T* p, vec<T> v, WholeVector) {
  store(p, v);
}
template <class T>
DLCORE_INLINE void put(T* p, vec<T> v, PartVector part) {
  store_partial(p, v, part.lanes);
}

template <class T, class Body>
DLCORE_INLINE void for_vectors(std::int64_t size, const Body& body) {
  std::int64_t j = 0;
  for (; j + kLanes<T> <= size; j += kLanes<T>) body(j, WholeVector{});
  if (j < size) body(j, PartVector{static_cast<int>(size - j)});
}

template <class T>
void copy_row(T* to, const T* from, std::int64_t size) {
  for_vectors<T>(size, [=](std::int64_t j, auto span) { put(to + j, get(from + j, span), span); });
}
template <class T>
void clear_row(T* to, std::int64_t size) {
  for_vectors<T>(size, [=](std::int64_t j, auto span) { put(to + j, vec<T>{}, span); });
}
/// to += from
template <class T>
void add_row(T* to, const T* from, std::int64_t size) {
  for_vectors<T>(size, [=](std::int64_t j, auto span) { put(to + j, get(to + j, span) + get(from + j, span), span); });
}

}  // namespace dlcore::DLCORE_ISA
