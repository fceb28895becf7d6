// Products of batches of matrices, as attributes and shapes give them.
#pragma once

#include "kernels/gemm/gemm.h"
#include "program/primitive.h"

namespace dlcore {

/// Equal products, dense. Offsets of the operands in elements; those of C are i * m * n.
struct MatmulBatch {
  GemmShape shape;
  std::vector<std::int64_t> a, b;
};
MatmulBatch matmul_batch(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs);

/// The attribute of a matmul whose last input is what matmul_panels made of b.
inline constexpr const char* kHasPanels = "has_panels";
/// And of both that these are tiles of the matrix unit.
inline constexpr const char* kHasTiles = "has_tiles";
/// Whether it pays to keep the packed b from run to run.
bool keeps_panels(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs);
/// Whether as tiles.
bool keeps_tiles(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs);

}  // namespace dlcore
