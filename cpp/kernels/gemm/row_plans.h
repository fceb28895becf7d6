// Products whose number of rows, or of terms in a sum, is known when they run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace dlcore {

/// A product planned for all rows that it may have, and for every sixteenth of a number that it has at most otherwise.
class RowPlans {
 public:
  RowPlans() = default;
  /// plan(rows) plans the product of so many. fewer: at most `all`; 0 where it always has all.
  template <class Plan>
  RowPlans(std::int64_t all, std::int64_t fewer, const Plan& plan)
      : all_(all), fewer_(fewer), step_((fewer + 15) / 16) {
    for (std::int64_t rows = 0; rows < fewer_;) plans_.push_back(plan(rows = std::min(rows + step_, fewer_)));
    plans_.push_back(plan(all_));
  }
  /// The least number of rows, at least as many, that there is a plan for.
  std::int64_t rounded_up(std::int64_t rows) const {
    return has_all(rows) ? all_ : std::min((rows + step_ - 1) / step_ * step_, fewer_);
  }
  const GemmPlan& of(std::int64_t rows) const {
    return has_all(rows) ? plans_.back() : plans_[(rows + step_ - 1) / step_ - 1];
  }
  std::size_t scratch_bytes() const {
    std::size_t bytes = 0;
    for (const GemmPlan& plan : plans_) bytes = std::max(bytes, plan.scratch_bytes);
    return bytes;
  }

 private:
  bool has_all(std::int64_t rows) const { return rows == 0 || rows > fewer_; }

  std::int64_t all_ = 0, fewer_ = 0, step_ = 0;
  std::vector<GemmPlan> plans_;
};

}  // namespace dlcore
