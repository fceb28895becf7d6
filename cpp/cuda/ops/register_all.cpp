#include "cuda/ops/families.h"

namespace dlcore::cuda {

void register_all() {
  register_pointwise();
  register_reduce();
  register_movement();
  register_indexing();
  register_resample();
  register_sorting();
  register_random();
  register_matmul();
  register_convolution();
  register_pooling();
  register_sampling();
  register_recurrent();
  register_norm();
  register_softmax();
  register_linear_algebra();
  register_fourier();
  register_optimizers();
}

}  // namespace dlcore::cuda
