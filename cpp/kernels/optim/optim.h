// Optimizer updates: one pass over weights, gradients and states.
#pragma once

#include <cstdint>
#include <vector>

#include "base/isa.h"
#include "dlcore/dtype.h"

namespace dlcore {

/// The update rules, with their states in order and their coefficients (Coefficients below, in order).
enum class UpdateRule {
  Sgd,               // -           lr
  Momentum,          // m           lr, momentum
  Nesterov,          // m           lr, momentum
  RmsProp,           // v           lr, rho, 1 - rho, epsilon
  RmsPropMomentum,   // v, mom      ... and momentum
  CenteredRmsProp,   // v, avg      lr, rho, 1 - rho, epsilon
  CenteredMomentum,  // v, avg, mom ... and momentum
  Adam,              // m, v        alpha, 1 - beta_1, 1 - beta_2, epsilon, weight decay, lr
  Amsgrad,           // m, v, vhat  as Adam
  Adagrad,           // acc         lr, epsilon
  Count
};
inline constexpr int kUpdateRules = static_cast<int>(UpdateRule::Count);
inline constexpr int kMaxStates = 3;
int states_of(UpdateRule rule);

/// The numbers of one step, converted to the weights' type when they are used.
using Coefficients = double[6];

/// n consecutive elements of one tensor. in[0], out[0]: weights; the rest: states. out[k] may be in[k].
struct UpdateTile {
  const void* gradient;
  const void* in[1 + kMaxStates];
  void* out[1 + kMaxStates];
};

struct OptimKernels {
  using Update = void (*)(const UpdateTile& tile, std::int64_t n, const double* coefficients);
  Update f32[kUpdateRules], f64[kUpdateRules];
};
const OptimKernels& optim_kernels();

/// The update of n elements; of 16-bit floats at most kHalfTile. They are computed in float32.
void update_tile(UpdateRule rule, DType dtype, const UpdateTile& tile, std::int64_t n, const double* coefficients);
inline constexpr std::int64_t kHalfTile = 2048;

/// An update of many tensors together: cut into blocks by their sizes, so that many small tensors cost one parallel
/// region.
class MultiTensorUpdate {
 public:
  MultiTensorUpdate(UpdateRule rule, DType dtype, std::vector<std::int64_t> sizes);
  /// in: all weights, all gradients, all of the first state, ...; out: all weights, all of the first state, ...
  void run(const void* const* in, void* const* out, const double* coefficients) const;

 private:
  struct Block {
    int tensor;
    std::int64_t first, n;
  };
  void run_block(const Block& block, const void* const* in, void* const* out, const double* coefficients) const;

  UpdateRule rule_;
  DType dtype_;
  int tensors_, kinds_;  // kinds: weights and states
  std::vector<Block> blocks_;
  std::vector<std::int64_t> chunks_;  // chunk c is blocks [chunks_[c], chunks_[c + 1])
  double cost_ = 0;
};

}  // namespace dlcore
