// The families of device kernels, in the order of ops/families.h; each registers the kernels of its file's primitives.
#pragma once

#include "cuda/context.h"

namespace dlcore::cuda {

void register_pointwise();
void register_reduce();
void register_movement();
void register_indexing();
void register_resample();
void register_sorting();
void register_random();
void register_matmul();
void register_convolution();
void register_pooling();
void register_sampling();
void register_recurrent();
void register_norm();
void register_softmax();
void register_linear_algebra();
void register_fourier();
void register_optimizers();

}  // namespace dlcore::cuda
