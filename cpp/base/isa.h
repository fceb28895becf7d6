// Kernel sources (*.simd.cpp) are compiled once per instruction set, each time in the namespace DLCORE_ISA. A family
// defines a table of its entry points there, and picks one of them here:
//
//   gemm.h          struct GemmKernels { void (*gemm_f32)(...); };   const GemmKernels& gemm_kernels();
//   gemm.simd.cpp   namespace dlcore::DLCORE_ISA { extern const GemmKernels gemm_kernels_table; const GemmKernels ... =
//   {...}; } gemm.cpp        DLCORE_SELECT_KERNELS(GemmKernels, gemm_kernels)
#pragma once

#include "base/cpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#define DLCORE_SELECT_KERNELS(Table, function) \
  namespace baseline {                         \
  extern const Table function##_table;         \
  }                                            \
  namespace avx2 {                             \
  extern const Table function##_table;         \
  }                                            \
  namespace avx512 {                           \
  extern const Table function##_table;         \
  }                                            \
  const Table& function() {                    \
    switch (isa()) {                           \
      case Isa::Avx512:                        \
        return avx512::function##_table;       \
      case Isa::Avx2:                          \
        return avx2::function##_table;         \
      default:                                 \
        return baseline::function##_table;     \
    }                                          \
  }
#else
#define DLCORE_SELECT_KERNELS(Table, function) \
  namespace baseline {                         \
  extern const Table function##_table;         \
  }                                            \
  const Table& function() { return baseline::function##_table; }
#endif
