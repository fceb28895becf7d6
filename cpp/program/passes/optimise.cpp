#include "program/passes.h"

namespace dlcore {

Graph optimise(const Graph& source) {
  Graph graph(source);
  remove_dead_nodes(graph);
  simplify(graph);
  merge_common_nodes(graph);
  fuse_softmax_cross_entropy(graph);
  skip_pooled_zeros(graph);
  remove_dead_nodes(graph);
  fuse_epilogues(graph);
  fuse_pooling(graph);
  fuse_weight_gradients(graph);
  remove_dead_nodes(graph);
  fuse_pointwise(graph);
  remove_dead_nodes(graph);
  return graph;
}

}  // namespace dlcore
