#include "kernels/gemm/bfloat16.simd.h"
#include "kernels/gemm/loops.simd.h"

namespace dlcore::DLCORE_ISA {

extern const GemmEntries<Bfloat> gemm_bfloat_kernels_table;
const GemmEntries<Bfloat> gemm_bfloat_kernels_table = {gemm_loops::gemm<BfloatPair>, gemm_loops::pack_b<BfloatPair>};

}  // namespace dlcore::DLCORE_ISA
