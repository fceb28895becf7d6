// Rewrites of a graph on its way to a program. Each pass keeps what the graph computes.
#pragma once

#include "program/graph.h"

namespace dlcore {

/// All passes, in order, on a copy.
Graph optimise(const Graph& graph);

/// Nodes that neither an output nor an assignment needs are dropped; values are renumbered.
void remove_dead_nodes(Graph& graph);

}  // namespace dlcore
