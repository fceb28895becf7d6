// Program: an optimised, memory-planned graph for given shapes. Planned once, run many times, without Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dlcore/tensor.h"

namespace dlcore {

class Graph;

/// Rows of one of the user's arrays: the batches' source or, where outputs go, their destination.
struct Rows {
  std::byte* data;  // row-major, contiguous
  DType dtype;      // converted to (from) the program's dtype on the way
  std::int64_t rows;
  std::int64_t row_elements;
  std::shared_ptr<Storage> storage = nullptr;  // of data, where a device may keep a copy of all rows for later calls
};

/// Which rows each step takes. Step s takes rows order[first + s*batch ...], or those rows themselves without an order.
struct Batches {
  std::optional<std::span<const std::int64_t>> order = std::nullopt;
  std::int64_t first = 0;
  std::int64_t steps = 1;
  double seconds = 0;  // return after the step at which this much time has passed; 0: no limit
};

/// Several threads may use one program: its runs come one after another.
class Program {
 public:
  /// Optimises and plans a graph whose sizes are all known, for the device that this thread computes on. The graph
  /// itself is left as it is.
  static std::shared_ptr<Program> compile(const Graph& graph);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Specs of the inputs and outputs, in order, and their names.
  const std::vector<TensorSpec>& inputs() const;
  const std::vector<TensorSpec>& outputs() const;
  const std::vector<std::string>& input_names() const;

  /// Runs once. Inputs must have the dtypes and shapes of inputs(). Returns new tensors.
  std::vector<Tensor> run(std::span<const Tensor> inputs);

  /// Runs step after step over the rows of the sources (one per input; axis 0 is the batch). Results, one per output or
  /// none, take the rows of the outputs. Returns how many steps ran. Steps beyond the order, and rows beyond an array,
  /// are an Index error.
  std::int64_t run_batches(std::span<const Rows> sources, const Batches& batches, std::span<const Rows> results = {});

  /// What runs: a line per step with shapes and bytes; with profile, also the time of each step in the runs since
  /// profiling was switched on.
  std::string dump() const;
  void set_profiling(bool on);
  std::size_t arena_bytes() const;

 private:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dlcore
