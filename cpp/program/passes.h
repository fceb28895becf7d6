// Rewrites of a graph on its way to a program. Each pass keeps what the graph computes. All sizes are known here.
#pragma once

#include "program/device.h"
#include "program/graph.h"

namespace dlcore {

/// All passes, in order, on a copy. Those whose primitives the device has no kernel for are left out.
Graph optimise(const Graph& graph, const Device& device = cpu());

/// Nodes that neither an output nor an assignment needs are dropped, and what others keep for a gradient that there is
/// not.
void remove_dead_nodes(Graph& graph);
/// Shapes taken from other tensors become attributes, constants are computed, identities (x * 1, a cast to the same
/// dtype, a broadcast that a pointwise op does anyway, ...) disappear.
void simplify(Graph& graph);
/// Nodes that compute the same from the same become one; then the barriers that kept some apart are gone.
void merge_common_nodes(Graph& graph);
/// Gradients of slices that lie side by side, as of the steps of a loop over time, become one copy of all instead of a
/// sum of tensors that are zero but for one slice each.
void join_slice_gradients(Graph& graph);
/// The gradient of a cross-entropy behind a softmax becomes one node of the logits' gradient.
void fuse_softmax_cross_entropy(Graph& graph);
/// Behind the gradient of max pooling, which is mostly zeros, only what is not zero is computed. Neither this pass nor
/// fuse_pooling touches what the host's matrix unit convolves, where the device is the host.
void skip_pooled_zeros(Graph& graph, const Device& device);
/// A bias and an activation behind a matmul or a convolution, and a relu behind a batch_norm, are computed while the
/// numbers are in registers; so is the relu's gradient.
void fuse_epilogues(Graph& graph);
/// Max pooling behind a convolution is done while the convolution's output is in the nearest cache.
void fuse_pooling(Graph& graph, const Device& device);
/// Rows that recurrent layers look up several times in a batch, as the words of a text, are multiplied by their weights
/// once, and their gradients are added up before they are multiplied.
void merge_lookups(Graph& graph);
/// The gradient of a large dense weight or embedding is made within its update, block by block, and never stored; on
/// the host that of factors in bfloat16, too.
void fuse_weight_gradients(Graph& graph, bool on_host);
/// Chains of pointwise nodes become one node each, a single loop over tiles.
void fuse_pointwise(Graph& graph);
/// Small pointwise nodes whose results no other node reads, as those of metrics and moving averages, become one node
/// for each shape: for devices on which a launch takes longer than such a node.
void join_small_updates(Graph& graph);
/// Weights that do not change from run to run are brought apart into the form that kernels read: the filters of
/// convolutions transformed, where that makes Winograd's algorithm pay, the matrices of products packed.
void prepare_settled_weights(Graph& graph);
/// Moves nodes to the front that depend on nothing but constants and variables which the graph does not assign: the
/// settled ones. What they make is kept from run to run.
void settle(Graph& graph);
/// Sums over processes begin as soon as what they sum is made, a few messages one after another, beside what else there
/// is to compute.
void overlap_reductions(Graph& graph);

}  // namespace dlcore
