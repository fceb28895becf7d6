#include "program/executor.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <utility>

#include "program/passes.h"

namespace dlcore {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Executor::Executor(const Graph& source, Device& device) : device_(device), graph_(optimise(source, device)) {
  std::vector<const Primitive*> ops;
  for (const Node& node : graph_.nodes) ops.push_back(node.op);
  expect_kernels(device_, ops);
  expect_room();
  std::vector<Kernel> kernels;
  for (const Node& node : graph_.nodes) kernels.push_back(plan_kernel(node));
  delay_updates(graph_, kernels);
  plan_ = plan_memory(graph_, kernels, device_.alignment());
  arena_ = std::make_unique<Storage>(plan_.arena_bytes, device_);
  arena_bytes_ = arena_->on(device_);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
    if (!graph_.nodes[i].op->is_alias) add_step(graph_.nodes[i], std::move(kernels[i]), plan_.scratch_offsets[i]);
  for (int value : graph_.inputs) inputs_.push_back(graph_.values[value].spec);
  for (int value : graph_.outputs) outputs_.push_back(graph_.values[value].spec);
  std::size_t held_bytes = 0;
  for (const Copy& copy : plan_.assignment_copies) held_bytes += graph_.values[copy.value].spec.bytes();
  if (plan_.assignment_copies.size() > 1) held_ = std::make_unique<Storage>(held_bytes, device_);
  find_written();
  find_settled();
}

void Executor::expect_room() const {
  std::size_t largest = 0;
  for (const Node& node : graph_.nodes)
    for (int value : node.out) largest = std::max(largest, graph_.values[value].spec.bytes());
  const Storage room(largest, device_);
}

Kernel Executor::plan_kernel(const Node& node) const {
  if (node.op->is_alias) return {};
  Specs in, out;
  for (int value : node.in) in.push_back(graph_.values[value].spec);
  for (int value : node.out) out.push_back(graph_.values[value].spec);
  const CallerScope scope(node.caller);  // a device's kernels keep it for their errors
  Kernel kernel = device_.plan(*node.op, in, out, node.attrs);
  if (device_.is_host()) kernel.has_guard = true;  // nothing comes behind an error that is thrown
  return kernel;
}

void Executor::add_step(const Node& node, Kernel kernel, std::size_t scratch_offset) {
  Step step{&node, std::move(kernel), 0, 0, arena_bytes_ + scratch_offset, false};
  step.in = table_.size();
  for (int value : node.in) add_pointer(value);
  step.out = table_.size();
  for (int value : node.out) {
    add_pointer(value);
    if (plan_.places[value].kind == Place::Variable) step.guarded = true;
  }
  steps_.push_back(std::move(step));
}

void Executor::add_pointer(int value) {
  const Place& place = plan_.places[value];
  const std::size_t slot = table_.size();
  table_.push_back(nullptr);
  switch (place.kind) {
    case Place::Arena:
      table_[slot] = arena_bytes_ + place.offset;
      break;
    case Place::Constant:
      table_[slot] = graph_.values[place.index].constant.storage()->on(device_);
      break;
    case Place::Input:
      input_patches_.push_back({slot, place.index});
      break;
    case Place::Variable:
      variable_patches_.push_back({slot, place.index});
      break;
    case Place::Output:
      output_patches_.push_back({slot, place.index});
      break;
    case Place::None:
      break;
  }
}

void Executor::find_written() {
  bound_.resize(graph_.variables.size());
  for (const Assignment& assignment : graph_.assignments) bound_[assignment.variable].written = true;
}

void Executor::find_settled() {
  std::vector<bool> read(graph_.variables.size(), false);
  for (int n = 0; n < graph_.settled; ++n) {
    const Node& node = graph_.nodes[n];
    if (!node.op->is_alias) ++first_step_;
    for (int value : node.in)
      if (graph_.values[value].source == Source::Variable) read[graph_.values[value].index] = true;
  }
  for (std::size_t i = 0; i < read.size(); ++i)
    if (read[i]) settled_on_.emplace_back(static_cast<int>(i), 0);
}

std::byte* Executor::bytes_of(int value, std::span<std::byte* const> in, std::span<std::byte* const> out) const {
  const Place& place = plan_.places[value];
  switch (place.kind) {
    case Place::Arena:
      return arena_bytes_ + place.offset;
    case Place::Constant:
      return graph_.values[place.index].constant.storage()->on(device_);
    case Place::Input:
      return in[place.index];
    case Place::Variable:
      return bound_[place.index].bytes;
    case Place::Output:
      return out[place.index];
    case Place::None:
      break;
  }
  return nullptr;
}

bool Executor::bind_variables() {
  {
    const auto guard = Variable::lock();
    for (std::size_t i = 0; i < bound_.size(); ++i) {
      Bound& bound = bound_[i];
      bound.held = &graph_.variables[i]->hold(device_, bound.written);
      std::byte* const found = bound.held->on(device_);
      moved_ |= found != bound.bytes;
      bound.bytes = found;
    }
    for (auto& [variable, known] : settled_on_) {
      const std::uint64_t version = graph_.variables[variable]->version();
      has_settled_ &= known == version;
      known = version;
    }
  }
  if (moved_)
    for (const Patch& patch : variable_patches_) table_[patch.slot] = bound_[patch.index].bytes;
  if (!has_settled_) run_steps(0, first_step_);
  has_settled_ = true;
  return std::exchange(moved_, false);
}

void Executor::release_variables() {
  const auto guard = Variable::lock();
  for (std::size_t i = 0; i < bound_.size(); ++i)
    if (Storage* const held = std::exchange(bound_[i].held, nullptr))
      graph_.variables[i]->release(*held, bound_[i].written);
}

void Executor::execute(std::span<std::byte* const> in, std::span<std::byte* const> out) {
  for (const Patch& patch : input_patches_) table_[patch.slot] = in[patch.index];
  for (const Patch& patch : output_patches_) table_[patch.slot] = out[patch.index];
  if (profiling_)
    run_profiled();
  else
    run_steps(first_step_, steps_.size());
  for (const Copy& copy : plan_.output_copies)
    device_.copy(out[copy.index], bytes_of(copy.value, in, out), graph_.values[copy.value].spec.bytes());
  copy_assignments(in, out);
}

void Executor::run_steps(std::size_t first, std::size_t last) const {
  std::size_t i = first;
  try {
    for (; i < last; ++i) run_step(steps_[i]);
  } catch (const Error& error) {
    if (!steps_[i].kernel.may_fail) throw;
    throw named(error, steps_[i].node->caller);
  }
}

void Executor::run_profiled() {
  device_.synchronize();
  for (std::size_t i = first_step_; i < steps_.size(); ++i) {
    const auto start = Clock::now();
    run_steps(i, i + 1);
    device_.synchronize();
    step_seconds_[i] += seconds_since(start);
  }
  ++profiled_runs_;
}

// A value read from one variable may be assigned to another: all are read before any is written.
void Executor::copy_assignments(std::span<std::byte* const> in, std::span<std::byte* const> out) {
  const auto target = [&](const Copy& copy) { return bound_[graph_.assignments[copy.index].variable].bytes; };
  const auto bytes = [&](const Copy& copy) { return graph_.values[copy.value].spec.bytes(); };
  const auto& copies = plan_.assignment_copies;
  if (copies.size() == 1) device_.assign(target(copies[0]), bytes_of(copies[0].value, in, out), bytes(copies[0]));
  if (copies.size() < 2) return;
  std::byte* held = held_->on(device_);
  for (const Copy& copy : copies) {
    device_.copy(held, bytes_of(copy.value, in, out), bytes(copy));
    held += bytes(copy);
  }
  held = held_->on(device_);
  for (const Copy& copy : copies) {
    device_.assign(target(copy), held, bytes(copy));
    held += bytes(copy);
  }
}

void Executor::set_profiling(bool on) {
  profiling_ = on;
  profiled_runs_ = 0;
  step_seconds_.assign(steps_.size(), 0);
}

std::string Executor::dump() const {
  std::ostringstream out;
  out << steps_.size() << " steps, arena " << plan_.arena_bytes << " bytes\n";
  double total = 0;
  for (double seconds : step_seconds_) total += seconds;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (profiled_runs_ > 0) {
      const double micros = step_seconds_[i] * 1e6 / static_cast<double>(profiled_runs_);
      out << std::fixed << std::setprecision(1) << std::setw(9) << micros << " us " << std::setw(5)
          << (total > 0 ? 100 * step_seconds_[i] / total : 0) << "% ";
      if (step.kernel.flops > 0 && micros > 0) out << std::setw(7) << step.kernel.flops / micros / 1e3 << " GFLOP/s ";
      out << std::defaultfloat;
    }
    std::size_t bytes = 0;
    for (int value : step.node->out) bytes += graph_.values[value].spec.bytes();
    out << graph_.describe(*step.node) << "  [" << (step.kernel.label.empty() ? step.node->op->name : step.kernel.label)
        << ", " << bytes << " bytes]";
    if (step.node->caller) out << "  " << *step.node->caller;
    out << '\n';
  }
  out << graph_.describe_results();
  return out.str();
}

}  // namespace dlcore
