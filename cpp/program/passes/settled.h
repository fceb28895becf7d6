// What does not change from run to run.
#pragma once

#include <vector>

#include "program/graph.h"

namespace dlcore {

/// Per value: whether it depends on nothing but constants and variables that the graph does not assign, and on no other
/// process.
std::vector<bool> settled_values(const Graph& graph);

}  // namespace dlcore
