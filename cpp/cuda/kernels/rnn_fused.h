// All steps of a recurrent layer in one kernel, where its recurrent weights fit into a multiprocessor. float32.
//
// A block takes one or two rows of the batch through time. Four lanes, a quad, belong to a unit; the weights of its
// gates, cut into quarters, stay in the lanes' registers, those beyond 64 entries of h in shared memory. A step is a
// product of the block's h (backward: of the gates' deltas) with what the threads hold, joined by shuffles, and the
// arithmetic of the gates: one barrier, two for GruResetBefore. Sums have an order that the units alone decide.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/rnn/rnn.h"

namespace dlcore::cuda {

/// Whether these kernels compute the layer, in both directions. shared_bytes: what a block may ask for.
bool rnn_is_fused(const RnnShape& shape, DType dtype, std::size_t shared_bytes);

struct RnnSequence {
  const float *z, *w_h, *b;  // z [B,T,G*U] products of the inputs, as x lies
  const float *h0, *c0;
  const std::uint8_t* mask;  // [B,T] of bools or null
  float *y, *h_T, *c_T;
  float* saved;  // [T,B,saved*U] or null
};
void rnn_fused_forward(cudaStream_t stream, const RnnShape& shape, int sm_count, const RnnSequence& io);

struct RnnBackSequence {
  const float *w_h, *saved;
  const std::uint8_t* mask;
  const float *dy, *dh_T, *dc_T;  // each may be null
  float* deltas;                  // [T,B,deltas*U], overwritten
  float* deltas_as_x;             // [B,T,deltas*U], the same as x lies
  float *dh0, *dc0;
};
void rnn_fused_backward(cudaStream_t stream, const RnnShape& shape, int sm_count, const RnnBackSequence& io);

}  // namespace dlcore::cuda
