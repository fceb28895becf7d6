// What passes and other devices know of the optimizer updates.
#pragma once

#include <string_view>

#include "kernels/optim/optim.h"
#include "program/primitive.h"

namespace dlcore {

/// The attribute that lists the weights whose gradient is given as the two factors of a product.
inline constexpr const char* kProducts = "products";
/// The attribute that lists those whose gradient is given as rows that are added up by index.
inline constexpr const char* kLookups = "lookups";

bool is_optimizer_update(std::string_view primitive);

/// What is known of an update before it runs.
struct UpdatePlan {
  UpdateRule rule;
  bool has_step;              // a step count follows the learning rate: Adam
  Coefficients coefficients;  // without those that the learning rate decides: number 0, of Adam also number 5
};
UpdatePlan update_plan(std::string_view primitive, const Attrs& attrs, DType dtype);

/// Whether an update can make the gradient of such a weight, from factors or from rows.
bool makes_gradient(const TensorSpec& weight);
/// Whether it does so from factors of this dtype: the weight's or, on a processor that multiplies it, bfloat16 for
/// float32; then the gradient is rounded as its factors are.
bool multiplies_factors(DType factors, DType weight);

}  // namespace dlcore
