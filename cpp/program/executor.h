// Executor: a planned graph on one device, as a list of steps: functions and the pointers they get.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "program/device.h"
#include "program/graph.h"
#include "program/plan.h"

namespace dlcore {

class Executor {
 public:
  /// Optimises and plans a graph whose sizes are all known.
  Executor(const Graph& graph, Device& device);

  Device& device() const { return device_; }
  const Graph& graph() const { return graph_; }
  const Specs& inputs() const { return inputs_; }
  const Specs& outputs() const { return outputs_; }
  std::size_t arena_bytes() const { return plan_.arena_bytes; }

  /// Before runs: makes the variables ready to be written on the device, takes their addresses, and computes what
  /// follows from them alone where they have changed since. Returns whether any lies elsewhere than it did.
  bool bind_variables();
  /// After runs, and where bind_variables() has failed.
  void release_variables();
  /// One run: in and out are the buffers of the inputs and outputs. Variables are bound.
  void execute(std::span<std::byte* const> in, std::span<std::byte* const> out);

  bool profiling() const { return profiling_; }
  void set_profiling(bool on);
  std::string dump() const;

 private:
  /// One kernel with its slice of the pointer table.
  struct Step {
    const Node* node;
    Kernel kernel;
    std::size_t in, out;  // where its pointers begin in the table
    void* scratch;
    bool guarded;  // it makes the new value of a variable
  };
  /// A pointer of the table that is not in the arena: set before a run.
  struct Patch {
    std::size_t slot;
    int index;  // of the input, the variable or the output
  };

  /// Throws OutOfMemory where what a node makes is too large, before anything is planned for it.
  void expect_room() const;
  Kernel plan_kernel(const Node& node) const;
  void add_step(const Node& node, Kernel kernel, std::size_t scratch_offset);
  void add_pointer(int value);
  void find_written();
  void find_settled();
  std::byte* bytes_of(int value, std::span<std::byte* const> in, std::span<std::byte* const> out) const;
  void run_step(const Step& step) const {
    step.kernel.run({&table_[step.in], const_cast<void* const*>(&table_[step.out]), step.scratch, step.guarded});
  }
  /// The steps [first, last).
  void run_steps(std::size_t first, std::size_t last) const;
  void run_profiled();
  void copy_assignments(std::span<std::byte* const> in, std::span<std::byte* const> out);

  Device& device_;
  Graph graph_;
  MemoryPlan plan_;
  std::unique_ptr<Storage> arena_;
  std::byte* arena_bytes_ = nullptr;  // where the arena begins
  std::unique_ptr<Storage> held_;     // values on their way from one variable to another
  std::vector<Step> steps_;
  std::vector<void*> table_;
  std::vector<Patch> input_patches_, variable_patches_, output_patches_;
  /// What a run has of a variable.
  struct Bound {
    bool written = false;        // by each run
    Storage* held = nullptr;     // while one is on
    std::byte* bytes = nullptr;  // in the table
  };
  std::vector<Bound> bound_;                               // per variable
  bool moved_ = false;                                     // whether any lies elsewhere than bind_variables() has told
  std::vector<std::pair<int, std::uint64_t>> settled_on_;  // variables that settled steps read, their versions then
  std::size_t first_step_ = 0;                             // of each run: those before it are settled
  bool has_settled_ = false;                               // whether those have run, for these versions
  Specs inputs_, outputs_;
  bool profiling_ = false;
  std::vector<double> step_seconds_;
  std::int64_t profiled_runs_ = 0;
};

}  // namespace dlcore
