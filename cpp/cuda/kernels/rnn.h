// The arithmetic in the gates of recurrent cells for one step of all rows; the products around it are the library's.
// Formulas, masks and the workspace are those of kernels/rnn/rnn.h and rows.h. A thread per row and unit. T = float or
// double.
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

}  // namespace dlcore::cuda
