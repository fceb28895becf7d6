// Saved models in native apps: load, run, train, save. No Python.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dlcore/program.h"
#include "dlcore/tensor.h"

namespace dlcore {

struct TensorFile;

/// Named functions ("predict", "train_step", ...) over shared variables, as Python's model.export wrote them. A
/// function is planned for the shapes that it is called with (the batch size is free), and the 64 plans that were used
/// last are kept. Several threads may run the functions of one Model; runs of one plan come one after another.
class Model {
 public:
  /// Reads a file. Throws an Io error when it can't be read, a Value error when it is not a whole, valid model.
  static Model load(const std::string& path);
  /// The same of a file that the program has in memory. The bytes are copied.
  static Model load(std::span<const std::byte> bytes);
  /// Writes the functions and the variables' present values: to a temporary file that then takes the path's place.
  void save(const std::string& path) const;

  Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// A model of the same functions over the same variables that plans and runs by itself: runs of the two do not wait
  /// for each other.
  Model share() const;

  /// Adds a function, or replaces it: a recorded graph with its outputs set. Variables of the same identity are shared.
  void add(const std::string& function, std::shared_ptr<Graph> graph);

  std::vector<std::string> functions() const;
  /// Specs of a function's inputs; a size of -1 is free.
  std::vector<TensorSpec> inputs(const std::string& function) const;
  std::vector<TensorSpec> outputs(const std::string& function) const;
  /// The inputs' names, in the order in which run() takes them.
  const std::vector<std::string>& input_names(const std::string& function) const;
  /// The outputs' names, such as "loss"; in a file "output_0" and so on where Python gave none.
  const std::vector<std::string>& output_names(const std::string& function) const;
  const std::vector<VariablePtr>& variables() const;

  /// Throws a Value error where the inputs' number, dtypes or sizes are not those of inputs(), an Index error for ids
  /// or labels out of range.
  std::vector<Tensor> run(const std::string& function, std::span<const Tensor> inputs);
  /// run("train_step", {x, y})
  std::vector<Tensor> run(const std::string& function, std::initializer_list<Tensor> inputs) {
    return run(function, std::span(inputs.begin(), inputs.size()));
  }
  /// run("predict", {x})[0]
  Tensor predict(const Tensor& x);
  /// The plan for these shapes: for dumps, profiles and run_batches.
  std::shared_ptr<Program> program(const std::string& function, std::span<const TensorSpec> inputs);

 private:
  struct Impl;
  static Model read(const TensorFile& file, const std::string& name);
  Impl& impl() const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dlcore
