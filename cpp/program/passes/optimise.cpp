#include "program/passes.h"

namespace dlcore {

Graph optimise(const Graph& source, const Device& device) {
  const DeviceScope scope(cpu());  // where constants are computed
  const auto runs = [&](const char* name) { return device.has_kernel(primitive(name)); };
  Graph graph(source);
  remove_dead_nodes(graph);
  simplify(graph);
  merge_common_nodes(graph);
  if (runs("concat")) join_slice_gradients(graph);
  if (runs("sparse_softmax_xent_grad")) fuse_softmax_cross_entropy(graph);
  if (runs("conv2d_pooled_backward_input") && runs("conv2d_pooled_backward_weights")) skip_pooled_zeros(graph, device);
  remove_dead_nodes(graph);
  fuse_epilogues(graph);
  if (runs("conv2d_winograd_filters")) prepare_settled_weights(graph);
  if (runs("conv2d_max_pool2d")) fuse_pooling(graph, device);
  if (runs("unique_indices")) merge_lookups(graph);
  if (device.updates_from_products()) fuse_weight_gradients(graph, device.is_host());
  remove_dead_nodes(graph);
  if (runs("fused")) fuse_pointwise(graph);
  remove_dead_nodes(graph);
  if (!device.is_host() && runs("fused")) join_small_updates(graph);
  if (device.sums_beside_work()) overlap_reductions(graph);
  if (device.is_host()) settle(graph);
  return graph;
}

}  // namespace dlcore
