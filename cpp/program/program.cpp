#include "dlcore/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iomanip>

#include "base/parallel.h"
#include "program/feed.h"
#include "program/graph.h"
#include "program/passes.h"
#include "program/plan.h"

namespace dlcore {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One kernel with its slice of the pointer table.
struct Step {
  const Node* node;
  Kernel kernel;
  std::size_t in, out;  // where its pointers begin in the table
  void* scratch;
};

/// A pointer of the table that is not in the arena: set before a run.
struct Patch {
  std::size_t slot;
  int index;  // of the input, the variable or the output
};

}  // namespace

struct Program::Impl {
  Graph graph;
  MemoryPlan plan;
  std::vector<Step> steps;
  std::vector<void*> table;
  std::vector<Patch> input_patches, variable_patches, output_patches;
  std::vector<bool> written;  // per variable: whether a run writes it
  std::unique_ptr<Storage> arena;
  std::vector<std::unique_ptr<Storage>> input_buffers;  // for run_batches, where a source can't be read in place
  std::vector<TensorSpec> inputs, outputs;
  bool profiling = false;
  std::vector<double> step_seconds;
  std::int64_t profiled_runs = 0;

  explicit Impl(const Graph& source) : graph(optimise(source)) {
    std::vector<Kernel> kernels;
    for (const Node& node : graph.nodes) kernels.push_back(plan_kernel(node));
    plan = plan_memory(graph, kernels);
    arena = std::make_unique<Storage>(plan.arena_bytes);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      if (!graph.nodes[i].op->is_alias) add_step(graph.nodes[i], std::move(kernels[i]), plan.scratch_offsets[i]);
    for (int value : graph.inputs) inputs.push_back(graph.values[value].spec);
    for (int value : graph.outputs) outputs.push_back(graph.values[value].spec);
    input_buffers.resize(inputs.size());
    find_written();
  }

  Kernel plan_kernel(const Node& node) const {
    if (node.op->is_alias) return {};
    Specs in, out;
    for (int value : node.in) in.push_back(graph.values[value].spec);
    for (int value : node.out) out.push_back(graph.values[value].spec);
    return node.op->plan(in, out, node.attrs);
  }

  void add_step(const Node& node, Kernel kernel, std::size_t scratch_offset) {
    Step step{&node, std::move(kernel), 0, 0, arena->data() + scratch_offset};
    step.in = table.size();
    for (int value : node.in) add_pointer(value);
    step.out = table.size();
    for (int value : node.out) add_pointer(value);
    steps.push_back(std::move(step));
  }

  void add_pointer(int value) {
    const Place& place = plan.places[value];
    const std::size_t slot = table.size();
    table.push_back(nullptr);
    switch (place.kind) {
      case Place::Arena:
        table[slot] = arena->data() + place.offset;
        break;
      case Place::Constant:
        table[slot] = graph.values[place.index].constant.bytes();
        break;
      case Place::Input:
        input_patches.push_back({slot, place.index});
        break;
      case Place::Variable:
        variable_patches.push_back({slot, place.index});
        break;
      case Place::Output:
        output_patches.push_back({slot, place.index});
        break;
      case Place::None:
        break;
    }
  }

  void find_written() {
    written.assign(graph.variables.size(), false);
    for (const Assignment& assignment : graph.assignments)
      for (std::size_t i = 0; i < graph.variables.size(); ++i)
        if (graph.variables[i] == assignment.variable) written[i] = true;
  }

  std::byte* bytes_of(int value, std::span<std::byte* const> in, std::span<std::byte* const> out) const {
    const Place& place = plan.places[value];
    switch (place.kind) {
      case Place::Arena:
        return arena->data() + place.offset;
      case Place::Constant:
        return graph.values[place.index].constant.bytes();
      case Place::Input:
        return in[place.index];
      case Place::Variable:
        return graph.variables[place.index]->value().bytes();
      case Place::Output:
        return out[place.index];
      case Place::None:
        break;
    }
    return nullptr;
  }

  void bind_variables() {
    for (std::size_t i = 0; i < written.size(); ++i)
      if (written[i]) graph.variables[i]->writable();
    for (const Patch& patch : variable_patches) table[patch.slot] = graph.variables[patch.index]->value().bytes();
  }

  /// One run: in and out are the buffers of the inputs and outputs. Variables are bound.
  void execute(std::span<std::byte* const> in, std::span<std::byte* const> out) {
    for (const Patch& patch : input_patches) table[patch.slot] = in[patch.index];
    for (const Patch& patch : output_patches) table[patch.slot] = out[patch.index];
    if (profiling)
      run_profiled();
    else
      for (const Step& step : steps) run_step(step);
    for (const Copy& copy : plan.output_copies)
      std::memcpy(out[copy.index], bytes_of(copy.value, in, out), graph.values[copy.value].spec.bytes());
    copy_assignments(in, out);
  }

  void run_step(const Step& step) const {
    step.kernel.run({&table[step.in], const_cast<void* const*>(&table[step.out]), step.scratch});
  }

  void run_profiled() {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto start = Clock::now();
      run_step(steps[i]);
      step_seconds[i] += seconds_since(start);
    }
    ++profiled_runs;
  }

  // A value read from one variable may be assigned to another: all are read before any is written.
  void copy_assignments(std::span<std::byte* const> in, std::span<std::byte* const> out) {
    if (plan.assignment_copies.empty()) return;
    if (plan.assignment_copies.size() == 1) return copy_assignment(plan.assignment_copies[0], in, out);
    std::vector<Tensor> held;
    for (const Copy& copy : plan.assignment_copies) {
      const TensorSpec& spec = graph.values[copy.value].spec;
      held.push_back(Tensor::empty(spec.dtype, spec.shape));
      std::memcpy(held.back().bytes(), bytes_of(copy.value, in, out), spec.bytes());
    }
    for (std::size_t i = 0; i < held.size(); ++i)
      std::memcpy(graph.assignments[plan.assignment_copies[i].index].variable->value().bytes(), held[i].bytes(),
                  held[i].spec().bytes());
  }

  void copy_assignment(const Copy& copy, std::span<std::byte* const> in, std::span<std::byte* const> out) {
    std::byte* to = graph.assignments[copy.index].variable->value().bytes();
    std::memmove(to, bytes_of(copy.value, in, out), graph.values[copy.value].spec.bytes());
  }

  std::byte* input_buffer(std::size_t i) {
    if (!input_buffers[i]) input_buffers[i] = std::make_unique<Storage>(inputs[i].bytes());
    return input_buffers[i]->data();
  }

  void check_rows(std::span<const Rows> rows, std::span<const TensorSpec> specs, const char* what) const {
    if (rows.size() != specs.size())
      throw value_error("The program has ", specs.size(), " ", what, "s; got ", rows.size(), " arrays.");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (specs[i].shape.rank() == 0)
        throw value_error("The program's ", what, " ", i, " is a scalar: it has no rows.");
      const std::int64_t row_elements = specs[i].shape.product(1, specs[i].shape.rank());
      if (rows[i].row_elements != row_elements)
        throw value_error("The program's ", what, " ", i, " is ", specs[i], "; the array has rows of ",
                          rows[i].row_elements, " elements.");
    }
  }
};

Program::Program(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Program::~Program() = default;

std::shared_ptr<Program> Program::compile(const Graph& graph) {
  return std::shared_ptr<Program>(new Program(std::make_unique<Impl>(graph)));
}

const std::vector<TensorSpec>& Program::inputs() const { return impl_->inputs; }
const std::vector<TensorSpec>& Program::outputs() const { return impl_->outputs; }
const std::vector<std::string>& Program::input_names() const { return impl_->graph.input_names; }
std::size_t Program::arena_bytes() const { return impl_->plan.arena_bytes; }

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  if (inputs.size() != impl_->inputs.size())
    throw value_error("The program has ", impl_->inputs.size(), " inputs; got ", inputs.size(), ".");
  std::vector<std::byte*> in, out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!(inputs[i].spec() == impl_->inputs[i]))
      throw value_error("The program's input '", impl_->graph.input_names[i], "' is ", impl_->inputs[i], "; got ",
                        inputs[i].spec(), ".");
    in.push_back(inputs[i].bytes());
  }
  std::vector<Tensor> results;
  for (const TensorSpec& spec : impl_->outputs) {
    results.push_back(Tensor::empty(spec.dtype, spec.shape));
    out.push_back(results.back().bytes());
  }
  FlushDenormals flush;
  impl_->bind_variables();
  impl_->execute(in, out);
  return results;
}

std::int64_t Program::run_batches(std::span<const Rows> sources, const Batches& batches,
                                  std::span<const Rows> results) {
  Impl& impl = *impl_;
  impl.check_rows(sources, impl.inputs, "input");
  if (!results.empty()) impl.check_rows(results, impl.outputs, "output");
  std::vector<std::byte*> in(sources.size()), out(impl.outputs.size());
  std::vector<std::unique_ptr<Storage>> output_buffers;
  for (std::size_t i = 0; i < out.size(); ++i) {
    output_buffers.push_back(std::make_unique<Storage>(impl.outputs[i].bytes()));
    out[i] = output_buffers.back()->data();
  }
  FlushDenormals flush;
  impl.bind_variables();
  const auto start = Clock::now();
  for (std::int64_t step = 0; step < batches.steps; ++step) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::int64_t batch = impl.inputs[i].shape[0], first = batches.first + step * batch;
      const bool in_place =
          !batches.order && sources[i].dtype == impl.inputs[i].dtype && first >= 0 && first + batch <= sources[i].rows;
      if (in_place) {
        in[i] = sources[i].data + static_cast<std::size_t>(first * sources[i].row_elements) * size_of(sources[i].dtype);
      } else {
        in[i] = impl.input_buffer(i);
        gather_rows(sources[i], batches.order, first, batch, impl.inputs[i].dtype, in[i]);
      }
    }
    impl.execute(in, out);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::int64_t batch = impl.outputs[i].shape[0];
      write_rows(results[i], batches.first + step * batch, batch, impl.outputs[i].dtype, out[i]);
    }
    if (batches.seconds > 0 && seconds_since(start) >= batches.seconds) return step + 1;
  }
  return batches.steps;
}

void Program::set_profiling(bool on) {
  impl_->profiling = on;
  impl_->profiled_runs = 0;
  impl_->step_seconds.assign(impl_->steps.size(), 0);
}

std::string Program::dump() const {
  const Impl& impl = *impl_;
  std::ostringstream out;
  out << impl.steps.size() << " steps, arena " << impl.plan.arena_bytes << " bytes\n";
  double total = 0;
  for (double seconds : impl.step_seconds) total += seconds;
  for (std::size_t i = 0; i < impl.steps.size(); ++i) {
    const Step& step = impl.steps[i];
    if (impl.profiled_runs > 0) {
      const double micros = impl.step_seconds[i] * 1e6 / static_cast<double>(impl.profiled_runs);
      out << std::fixed << std::setprecision(1) << std::setw(9) << micros << " us " << std::setw(5)
          << (total > 0 ? 100 * impl.step_seconds[i] / total : 0) << "% ";
      if (step.kernel.flops > 0 && micros > 0) out << std::setw(7) << step.kernel.flops / micros / 1e3 << " GFLOP/s ";
      out << std::defaultfloat;
    }
    std::size_t bytes = 0;
    for (int value : step.node->out) bytes += impl.graph.values[value].spec.bytes();
    out << impl.graph.describe(*step.node) << "  ["
        << (step.kernel.label.empty() ? step.node->op->name : step.kernel.label) << ", " << bytes << " bytes]\n";
  }
  out << impl.graph.describe_results();
  return out.str();
}

}  // namespace dlcore
