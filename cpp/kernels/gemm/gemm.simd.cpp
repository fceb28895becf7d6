#include "kernels/gemm/loops.simd.h"

namespace dlcore::DLCORE_ISA {

extern const GemmKernels gemm_kernels_table;
const GemmKernels gemm_kernels_table = {{gemm_loops::gemm<float>, gemm_loops::pack_b<float>},
                                        {gemm_loops::gemm<double>, gemm_loops::pack_b<double>}};

}  // namespace dlcore::DLCORE_ISA
