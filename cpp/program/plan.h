// The memory plan: where each value of a graph lives while a program runs.
#pragma once

#include <cstddef>
#include <vector>

#include "program/graph.h"

namespace dlcore {

/// Where a value's bytes are.
struct Place {
  enum Kind { None, Arena, Input, Constant, Variable, Output } kind = None;
  std::size_t offset = 0;  // Arena
  int index = -1;          // of the input, the variable, the output; of the value for a constant
};

struct Copy {
  int value;  // read from its place
  int index;  // of the output or the assignment that it is copied to
};

struct MemoryPlan {
  std::vector<Place> places;                 // one per value
  std::vector<std::size_t> scratch_offsets;  // one per node
  std::size_t arena_bytes = 0;
  std::vector<Copy> output_copies;      // outputs that don't get their bytes directly
  std::vector<Copy> assignment_copies;  // likewise assignments
};

/// A request for bytes that must not overlap others while it is alive: steps [first, last].
struct Interval {
  std::size_t bytes;
  int first, last;
  std::size_t offset = 0;
};

/// Gives each interval an aligned offset, largest first, into the lowest gap that fits. Returns the arena's size.
/// Source: Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference" (greedy by size).
std::size_t place_intervals(std::vector<Interval>& intervals, std::size_t alignment = 64);

/// Nodes that only make new values of variables come behind the last that may fail, where they can write in place.
/// kernels: one per node (empty for aliases), moved with it.
void delay_updates(Graph& graph, std::vector<Kernel>& kernels);

/// kernels: likewise.
MemoryPlan plan_memory(const Graph& graph, const std::vector<Kernel>& kernels, std::size_t alignment = 64);

}  // namespace dlcore
