// The products with the recurrent weights, step by step, of factors rounded to bfloat16 in place of the rows' own:
// their results are rounded, too. On the matrix unit (gemm/amx.h) batch rows go through time in chunks as high as its
// tiles.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/rnn/rows.h"

namespace dlcore {

/// z [rows, n] (+)= a [rows, k] w, the rows of a lda apart and those of z ldz.
struct StepProduct {
  std::int64_t n, k, lda, ldz;
  std::int64_t w;   // where w begins in w_h
  std::int64_t z;   // and z in its rows
  bool transposed;  // w
};
/// Those of a step forward, and of one back.
std::vector<StepProduct> forward_products(const RnnShape& shape);
std::vector<StepProduct> backward_products(const RnnShape& shape);

/// Rows of a chunk; 0 where the rows' own products take less time. Only where gemm_bfloat_kernels() are.
std::int64_t rounded_step_rows(const RnnShape& shape);

class RoundedSteps {
 public:
  /// shape.chunk_rows: as rounded_step_rows says.
  RoundedSteps(const RnnShape& shape, const std::vector<StepProduct>& products);
  std::size_t scratch_bytes() const;

  /// Of one run, in 64-byte aligned scratch.
  class Run : public RnnSteps<float> {
   public:
    Run(const RoundedSteps& steps, const float* w_h, void* scratch);
    void multiply(int part, std::int64_t first, std::int64_t rows, const float* a, float* z,
                  bool accumulate) const override;

   private:
    const RoundedSteps& steps_;
    std::byte* scratch_;
  };

 private:
  struct Part {
    StepProduct product;
    GemmPlan whole, last;  // of a chunk's rows, and of those that are left
    std::size_t packed;    // where the weights are in scratch
  };

  RnnShape shape_;
  std::vector<Part> parts_;
  std::size_t rounded_w_, rooms_, room_bytes_;  // places in scratch: w_h rounded, then a room for each chunk
};

}  // namespace dlcore
