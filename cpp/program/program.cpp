#include "dlcore/program.h"

#include <chrono>

#include "base/parallel.h"
#include "program/device_runs.h"
#include "program/executor.h"
#include "program/feed.h"
#include "program/graph.h"

namespace dlcore {

struct Program::Impl {
  Executor executor;
  DeviceRuns device_runs{executor};                     // on any device but the host
  std::vector<std::unique_ptr<Storage>> input_buffers;  // for run_batches, where a source can't be read in place

  explicit Impl(const Graph& graph) : executor(graph, current_device()) { input_buffers.resize(inputs().size()); }

  const Specs& inputs() const { return executor.inputs(); }
  const Specs& outputs() const { return executor.outputs(); }
  bool on_host() const { return executor.device().is_host(); }

  std::byte* input_buffer(std::size_t i) {
    if (!input_buffers[i]) input_buffers[i] = std::make_unique<Storage>(inputs()[i].bytes());
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

const std::vector<TensorSpec>& Program::inputs() const { return impl_->inputs(); }
const std::vector<TensorSpec>& Program::outputs() const { return impl_->outputs(); }
const std::vector<std::string>& Program::input_names() const { return impl_->executor.graph().input_names; }
std::size_t Program::arena_bytes() const { return impl_->executor.arena_bytes(); }
void Program::set_profiling(bool on) { impl_->executor.set_profiling(on); }
std::string Program::dump() const { return impl_->executor.dump(); }

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  if (inputs.size() != impl_->inputs().size())
    throw value_error("The program has ", impl_->inputs().size(), " inputs; got ", inputs.size(), ".");
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!(inputs[i].spec() == impl_->inputs()[i]))
      throw value_error("The program's input '", input_names()[i], "' is ", impl_->inputs()[i], "; got ",
                        inputs[i].spec(), ".");
  if (!impl_->on_host()) return impl_->device_runs.run(inputs);

  std::vector<std::byte*> in, out;
  for (const Tensor& input : inputs) in.push_back(input.bytes());
  std::vector<Tensor> results;
  for (const TensorSpec& spec : impl_->outputs()) {
    results.push_back(Tensor::empty(spec.dtype, spec.shape));
    out.push_back(results.back().bytes());
  }
  FlushDenormals flush;
  impl_->executor.bind_variables();
  impl_->executor.execute(in, out);
  return results;
}

std::int64_t Program::run_batches(std::span<const Rows> sources, const Batches& batches,
                                  std::span<const Rows> results) {
  Impl& impl = *impl_;
  const Specs &inputs = impl.inputs(), &outputs = impl.outputs();
  impl.check_rows(sources, inputs, "input");
  if (!results.empty()) impl.check_rows(results, outputs, "output");
  if (!impl.on_host()) return impl.device_runs.run_batches(sources, batches, results);

  std::vector<std::byte*> in(sources.size()), out(outputs.size());
  std::vector<std::unique_ptr<Storage>> output_buffers;
  for (std::size_t i = 0; i < out.size(); ++i) {
    output_buffers.push_back(std::make_unique<Storage>(outputs[i].bytes()));
    out[i] = output_buffers.back()->data();
  }
  FlushDenormals flush;
  impl.executor.bind_variables();
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (std::int64_t step = 0; step < batches.steps; ++step) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::int64_t batch = inputs[i].shape[0], first = batches.first + step * batch;
      const bool in_place =
          !batches.order && sources[i].dtype == inputs[i].dtype && first >= 0 && first + batch <= sources[i].rows;
      if (in_place) {
        in[i] = sources[i].data + static_cast<std::size_t>(first * sources[i].row_elements) * size_of(sources[i].dtype);
      } else {
        in[i] = impl.input_buffer(i);
        gather_rows(sources[i], batches.order, first, batch, inputs[i].dtype, in[i]);
      }
    }
    impl.executor.execute(in, out);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::int64_t batch = outputs[i].shape[0];
      write_rows(results[i], batches.first + step * batch, batch, outputs[i].dtype, out[i]);
    }
    if (batches.seconds > 0 && std::chrono::duration<double>(Clock::now() - start).count() >= batches.seconds)
      return step + 1;
  }
  return batches.steps;
}

}  // namespace dlcore
