// What the passes know of the optimizer updates.
#pragma once

#include <string_view>

#include "program/primitive.h"

namespace dlcore {

/// The attribute that lists the weights whose gradient is given as the two factors of a product.
inline constexpr const char* kProducts = "products";
/// The attribute that lists those whose gradient is given as rows that are added up by index.
inline constexpr const char* kLookups = "lookups";

bool is_optimizer_update(std::string_view primitive);
/// Whether an update can make the gradient of such a weight, from factors or from rows.
bool makes_gradient(const TensorSpec& weight);

}  // namespace dlcore
