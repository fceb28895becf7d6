// Blocks of units, which threads share within each step. Only for *.simd.cpp.
#pragma once

#include "base/parallel.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// Units [first, first + count).
struct Units {
  std::int64_t first, count;
};

/// Panels of weights in a block: the units of one would be too few for what it takes to go on to the next row.
inline constexpr int kBlockPanels = 2;

/// body(step, units) for all blocks of `block` units in each step, shared out among the threads: each finds the same
/// ones in every step. cost: as in parallel_for.
template <class Body>
void share_units(std::int64_t steps, std::int64_t units, std::int64_t block, double cost, const Body& body) {
  const std::int64_t blocks = units <= block ? 1 : (units + block - 1) / block;
  const auto units_of = [&](std::int64_t i) { return Units{i * block, min_of(block, units - i * block)}; };
  if (blocks > 1)
    return parallel_steps(steps, blocks, cost, [&](std::int64_t step, std::int64_t i) { body(step, units_of(i)); });
  for (std::int64_t step = 0; step < steps; ++step) body(step, Units{0, units});
}

/// The cost of a product of so many rows with a [k, cols] part of the weights.
DLCORE_INLINE double product_cost(std::int64_t rows, std::int64_t k, std::int64_t cols) {
  constexpr double kFlopsPerNs = 50;
  return 2.0 * static_cast<double>(rows * k * cols) / kFlopsPerNs;
}

}  // namespace dlcore::DLCORE_ISA
