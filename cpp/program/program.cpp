#include "dlcore/program.h"

#include <chrono>
#include <mutex>

#include "base/parallel.h"
#include "program/device_runs.h"
#include "program/executor.h"
#include "program/feed.h"
#include "program/graph.h"

namespace dlcore {

struct Program::Impl {
  Executor executor;
  DeviceRuns device_runs{executor};  // on any device but the host
  std::mutex running;                // one run at a time: all share the arena and what is below
  // For run_batches, where a source can't be read in place, or a result can't be written so.
  std::vector<std::unique_ptr<Storage>> input_buffers, output_buffers;
  std::vector<std::byte*> in, out;  // of the step that runs

  explicit Impl(const Graph& graph) : executor(graph, current_device()) {
    input_buffers.resize(inputs().size());
    output_buffers.resize(outputs().size());
    in.resize(inputs().size());
    out.resize(outputs().size());
  }

  /// One run's turn. At its end, the variables are no longer in use.
  class Turn {
   public:
    explicit Turn(Impl& impl) : lock_(impl.running), executor_(impl.executor) {}
    ~Turn() { executor_.release_variables(); }

   private:
    std::lock_guard<std::mutex> lock_;
    Executor& executor_;
  };

  const Specs& inputs() const { return executor.inputs(); }
  const Specs& outputs() const { return executor.outputs(); }
  bool on_host() const { return executor.device().is_host(); }

  static std::byte* buffer(std::unique_ptr<Storage>& kept, const TensorSpec& spec) {
    if (!kept) kept = std::make_unique<Storage>(spec.bytes());
    return kept->data();
  }

  /// Where `count` rows from `first` on lie in an array, as the program takes them; null when it needs a buffer.
  static std::byte* in_place(const Rows& rows, DType dtype, std::int64_t first, std::int64_t count) {
    if (rows.dtype != dtype || first < 0 || first > rows.rows - count) return nullptr;
    return rows.data + static_cast<std::size_t>(first * rows.row_elements) * size_of(dtype);
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

  void check_order(const Batches& batches) const {
    const std::int64_t rows = std::ssize(*batches.order);
    for (const TensorSpec& spec : inputs())
      if (batches.first < 0 || batches.first > rows ||
          (spec.shape[0] > 0 && batches.steps > (rows - batches.first) / spec.shape[0]))
        throw index_error(batches.steps, " steps of ", spec.shape[0], " rows, from row ", batches.first,
                          " on, go beyond an order of ", rows, " rows.");
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
void Program::set_profiling(bool on) {
  const std::lock_guard lock(impl_->running);
  impl_->executor.set_profiling(on);
}
std::string Program::dump() const {
  const std::lock_guard lock(impl_->running);
  return impl_->executor.dump();
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs) {
  if (inputs.size() != impl_->inputs().size())
    throw value_error("The program has ", impl_->inputs().size(), " inputs; got ", inputs.size(), ".");
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!(inputs[i].spec() == impl_->inputs()[i]))
      throw value_error("The program's input '", input_names()[i], "' is ", impl_->inputs()[i], "; got ",
                        inputs[i].spec(), ".");
  const Impl::Turn turn(*impl_);
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
  if (batches.order) impl.check_order(batches);
  if (batches.steps < 1) return 0;
  const Impl::Turn turn(impl);
  if (!impl.on_host()) return impl.device_runs.run_batches(sources, batches, results);

  const std::int64_t* order = batches.order ? batches.order->data() : nullptr;
  std::vector<std::byte*>&in = impl.in, &out = impl.out;
  FlushDenormals flush;
  impl.executor.bind_variables();
  using Clock = std::chrono::steady_clock;
  const auto start = batches.seconds > 0 ? Clock::now() : Clock::time_point();
  for (std::int64_t step = 0; step < batches.steps; ++step) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::int64_t batch = inputs[i].shape[0], first = batches.first + step * batch;
      in[i] = order ? nullptr : impl.in_place(sources[i], inputs[i].dtype, first, batch);
      if (in[i]) continue;
      in[i] = impl.buffer(impl.input_buffers[i], inputs[i]);
      gather_rows(sources[i], order, first, batch, inputs[i].dtype, in[i]);
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = results.empty() ? nullptr
                               : impl.in_place(results[i], outputs[i].dtype, batches.first + step * outputs[i].shape[0],
                                               outputs[i].shape[0]);
      if (!out[i]) out[i] = impl.buffer(impl.output_buffers[i], outputs[i]);
    }
    impl.executor.execute(in, out);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::int64_t batch = outputs[i].shape[0], first = batches.first + step * batch;
      if (out[i] != impl.in_place(results[i], outputs[i].dtype, first, batch))
        write_rows(results[i], first, batch, outputs[i].dtype, out[i]);
    }
    if (batches.seconds > 0 && std::chrono::duration<double>(Clock::now() - start).count() >= batches.seconds)
      return step + 1;
  }
  return batches.steps;
}

}  // namespace dlcore
