// Recurrent layers, as attributes and shapes give them.
#pragma once

#include "kernels/rnn/rnn.h"
#include "program/primitive.h"

namespace dlcore {

enum class RnnFamily { Lstm, Gru, Simple };
inline int rnn_state_count(RnnFamily family) { return family == RnnFamily::Lstm ? 2 : 1; }

/// Whether a forward node's last output is the workspace of the gradient, or empty.
inline constexpr const char* kKeepsWorkspace = "keeps_workspace";
/// Whether the float32 inputs are numbers of a 16-bit float, for which products of factors with 10 bits of mantissa are
/// good enough, where a device has them.
inline constexpr const char* kNarrowProducts = "narrow_products";
/// Whether that 16-bit float is bfloat16: RnnShape::bfloat_products.
inline constexpr const char* kBfloatProducts = "bfloat_products";

/// RnnShape::most_input_rows: above 0, the last input is RnnForward::inverse [B,T], int32.
inline constexpr const char* kMostInputRows = "most_input_rows";

/// The inputs of a forward node behind x, w_x, w_h, b, h0, [c0], each there or not. -1 for a missing one.
struct RnnInputs {
  int mask = -1, inverse = -1;
};
RnnInputs rnn_inputs(RnnFamily family, std::size_t count, const Attrs& attrs);

/// Of a forward node.
RnnShape rnn_forward_shape(RnnFamily family, std::span<const TensorSpec> in, const Attrs& attrs);
/// Of a gradient node.
RnnShape rnn_grad_shape(RnnFamily family, std::span<const TensorSpec> in, const Attrs& attrs);

/// The inputs of a gradient node behind x, w_x, w_h, workspace, each there or not: mask, dy, dh_T, dc_T, inverse. -1
/// for a missing one.
struct RnnGradInputs {
  int mask = -1, dy = -1, dh_T = -1, dc_T = -1, inverse = -1;
  int count = 4;
};
RnnGradInputs rnn_grad_inputs(RnnFamily family, const Attrs& attrs);

}  // namespace dlcore
