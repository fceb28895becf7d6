#include "kernels/gemm/amx.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

/// op(B) as it is packed once.
template <class T>
Panels packed_panels(const GemmShape& s, T* packed) {
  auto* const data = reinterpret_cast<std::byte*>(packed);
  const std::int64_t bytes = parts(s.k, kTileSteps) * kParts<T> * kTileBytes;
  return {data, bytes, reinterpret_cast<bool*>(data + parts(s.n, kTileRows) * bytes)};
}

template <class T>
Source<T> rows_of_a(const GemmShape& s, const T* a) {
  return {a, s.lda, !s.transpose_a};
}
template <class T>
Source<T> columns_of_b(const GemmShape& s, const T* b) {
  return {b, s.ldb, s.transpose_b};
}

template <class T>
void gemm(const GemmPlan& dense, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, void* scratch) {
  const GemmShape& s = dense.amx.shape;
  Product<T> x{dense.amx, rows_of_a(s, a), columns_of_b(s, b), c, epilogue, static_cast<std::byte*>(scratch)};
  if (s.packed_b) x.packed_b = packed_panels(s, const_cast<T*>(b));
  run_product(x);
}

template <class T>
void pack_b(const GemmShape& s, const T* b, T* packed) {
  constexpr std::int64_t kRows = 8 * kTileRows;
  const Panels panels = packed_panels(s, packed);
  parallel_for(parts(s.n, kRows), 0.3 * static_cast<double>(s.n * s.k), [&](std::int64_t task) {
    const Range cols = range_of(task * kRows, kRows, s.n);
    pack_rows(columns_of_b(s, b), cols, {0, s.k}, false, panels.from(cols.begin / kTileRows));
  });
}

}  // namespace

extern const AmxKernels amx_kernels_table;
const AmxKernels amx_kernels_table = {{gemm<float>, pack_b<float>}, {gemm<Bfloat>, pack_b<Bfloat>}};

}  // namespace dlcore::DLCORE_ISA
