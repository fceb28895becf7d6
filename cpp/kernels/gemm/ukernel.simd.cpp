#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {

template GemmUkernel<float> gemm_tile_of<float, true>(int rows, int vectors, bool panel);
template GemmUkernel<float> gemm_tile_of<float, false>(int rows, int vectors, bool panel);
template GemmUkernel<double> gemm_tile_of<double, true>(int rows, int vectors, bool panel);
template GemmUkernel<double> gemm_tile_of<double, false>(int rows, int vectors, bool panel);

}  // namespace dlcore::DLCORE_ISA
