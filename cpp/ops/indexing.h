// Lookups, as attributes and shapes give them.
#pragma once

#include "kernels/embedding/embedding.h"
#include "program/primitive.h"

namespace dlcore {

/// Of gather, scatter_add, gather_along, scatter_along, gather_last or scatter_last.
Lookup lookup_of(std::string_view primitive, std::span<const TensorSpec> in, const Attrs& attrs);
/// What errors call the axis that it looks up along.
std::string axis_text_of(std::string_view primitive, std::span<const TensorSpec> in, const Attrs& attrs);

}  // namespace dlcore
