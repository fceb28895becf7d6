// Trains a model that Python saved with model.export("model.dlcore", target_signature=...), without Python.
//
//   dlcore_train model.dlcore rows.csv [epochs]
//
// A line of rows.csv is the numbers of one input, then its target. The first four fifths train, the rest tests. The
// trained model takes the file's place.
#include <dlcore/dlcore.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBatch = 32;

struct Examples {
  std::vector<std::vector<float>> inputs;
  std::vector<float> targets;
};

Examples read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read '" + path + "'");
  Examples examples;
  for (std::string line; std::getline(file, line);) {
    std::vector<float> numbers;
    std::istringstream fields(line);
    bool valid = true;
    for (std::string field; std::getline(fields, field, ',');) {
      char* end = nullptr;
      numbers.push_back(std::strtof(field.c_str(), &end));
      valid = valid && end != field.c_str();
    }
    if (!valid || numbers.size() < 2)
      throw std::runtime_error("'" + path + "': a line is numbers with commas between, not " + line);
    examples.targets.push_back(numbers.back());
    numbers.pop_back();
    examples.inputs.push_back(std::move(numbers));
  }
  return examples;
}

/// The numbers of a batch in the shape and dtype that the function takes.
dlcore::Tensor batch_of(const std::vector<float>& numbers, dlcore::TensorSpec spec, std::size_t rows) {
  spec.shape[0] = static_cast<std::int64_t>(rows);
  return dlcore::ops::cast(dlcore::Tensor::from<float>(numbers, spec.shape), spec.dtype);
}

/// Runs a function on the examples of these rows, batch by batch, and prints the loss and the metrics of all.
void run(dlcore::Model& model, const std::string& function, const Examples& examples,
         std::span<const std::size_t> rows) {
  const std::vector<dlcore::TensorSpec> specs = model.inputs(function);
  std::vector<dlcore::Tensor> logs;
  model.run("reset_metrics", {});
  for (std::size_t first = 0; first < rows.size(); first += kBatch) {
    std::vector<float> inputs, targets;
    const auto batch = rows.subspan(first, std::min(kBatch, rows.size() - first));
    for (const std::size_t row : batch) {
      inputs.insert(inputs.end(), examples.inputs[row].begin(), examples.inputs[row].end());
      targets.push_back(examples.targets[row]);
    }
    const std::vector data{batch_of(inputs, specs[0], batch.size()), batch_of(targets, specs[1], batch.size())};
    logs = model.run(function, data);
  }
  std::printf("%s:", function.c_str());
  for (std::size_t i = 0; i < logs.size(); ++i)
    std::printf(" %s %.4f", model.output_names(function)[i].c_str(), logs[i].item());
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s model.dlcore rows.csv [epochs]\n", argv[0]);
    return 2;
  }
  try {
    dlcore::Model model = dlcore::Model::load(argv[1]);
    const Examples examples = read(argv[2]);
    std::vector<std::size_t> rows(examples.targets.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    const auto train = std::span(rows).first(rows.size() * 4 / 5);
    const auto test = std::span<const std::size_t>(rows).subspan(train.size());

    std::mt19937 random(0);
    const int epochs = argc > 3 ? std::atoi(argv[3]) : 5;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      std::shuffle(train.begin(), train.end(), random);
      run(model, "train_step", examples, train);
    }
    run(model, "test_step", examples, test);
    model.save(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
