// Recurrent layers: a step of all rows at a time between the library's products (a thread per row and unit; float or
// double), or all steps at once where the recurrent weights fit on a multiprocessor. Formulas, masks and the workspace
// are those of kernels/rnn/rnn.h and rows.h.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/rnn/rnn.h"

namespace dlcore::cuda {

/// Where all rows stand at one step.
struct RnnStep {
  std::int64_t step, time;  // the step's number, and its place in x
  const void* z;            // [B,T,G*U] products of the inputs, as x lies
  const void* zh;           // [B,G*U] products of h; GruResetBefore: those of h in the gates, of r * h in the candidate
  const void* b;
  const bool* mask;  // [B,T] or null
  void *h, *c;       // [B,U], updated; c for Lstm
  void* saved;       // [B,saved*U] of this step; null: not kept (GruResetBefore always has it)
  void* reset;       // [B,U]: r * h, for GruResetBefore
  void* y;           // [B,T,U]
};
/// GruResetBefore: the gates alone, and reset.
void rnn_gates_forward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnStep& step);
/// The whole step; of GruResetBefore the rest of it.
void rnn_step_forward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnStep& step);

struct RnnBackStep {
  std::int64_t step, time;
  const void* saved;  // [B,saved*U]
  const bool* mask;
  const void* dy;      // [B,T,U] or null
  void *dh, *dc;       // [B,U]: after the step; replaced by what flows past the product into those before
  void* carried;       // [B,U]: dy of masked steps, whose output repeats an earlier one's; with a mask
  void* deltas;        // [B,deltas*U], overwritten
  const void* dreset;  // [B,U]: the gradient of r * h, for rnn_gates_backward
};
/// All but the reset gate of GruResetBefore.
void rnn_step_backward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnBackStep& step);
/// That gate.
void rnn_gates_backward(cudaStream_t stream, DType dtype, const RnnShape& shape, const RnnBackStep& step);

// ---- all steps in one kernel

/// Arrays as kernels/rnn/rnn.h has them; float32.
struct RnnSequence {
  RnnShape shape;
  const float *z, *w_h, *b;  // z [B,T,G*U]: products of the inputs
  const bool* mask;
  const float *h0, *c0;
  float *h, *c, *y;  // h, c: after the last step
  float* workspace;  // null: not kept
};
struct RnnSequenceGradient {
  RnnShape shape;
  const float *w_h, *workspace;
  const bool* mask;
  const float *dy, *dh_T, *dc_T;  // each may be null
  float *dh, *dc;                 // of h0 and c0
  float* deltas;                  // [T,B,deltas*U], steps in the order they were computed in
};
bool rnn_fits_one_kernel(const RnnShape& shape, DType dtype, std::size_t most_shared_bytes, int sm_count);
void rnn_forward(cudaStream_t stream, const RnnSequence& sequence, int sm_count);
void rnn_backward(cudaStream_t stream, const RnnSequenceGradient& gradient, int sm_count);

}  // namespace dlcore::cuda
