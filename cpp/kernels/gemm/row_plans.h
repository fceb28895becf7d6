// Products whose number of rows, or of terms in a sum, is known when they run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace dlcore {

/// A product planned for the most rows that it may have and, where there may be fewer, for every sixteenth of them.
class RowPlans {
 public:
  RowPlans() = default;
  /// plan(rows) plans the product of so many.
  template <class Plan>
  RowPlans(std::int64_t most, bool may_be_fewer, const Plan& plan)
      : most_(most), step_(may_be_fewer ? (most + 15) / 16 : most) {
    for (std::int64_t rows = std::min(step_, most);; rows = std::min(rows + step_, most)) {
      plans_.push_back(plan(rows));
      if (rows == most) return;
    }
  }
  /// The least number of rows, at least as many, that there is a plan for.
  std::int64_t rounded_up(std::int64_t rows) const {
    return step_ == 0 ? 0 : std::min((rows + step_ - 1) / step_ * step_, most_);
  }
  const GemmPlan& of(std::int64_t rows) const { return plans_[step_ == 0 ? 0 : (rows + step_ - 1) / step_ - 1]; }
  std::size_t scratch_bytes() const {
    std::size_t bytes = 0;
    for (const GemmPlan& plan : plans_) bytes = std::max(bytes, plan.scratch_bytes);
    return bytes;
  }

 private:
  std::int64_t most_ = 0, step_ = 0;
  std::vector<GemmPlan> plans_;
};

}  // namespace dlcore
