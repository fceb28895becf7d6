// Runs a model that Python saved with model.export("model.dlcore"), without Python.
//
//   dlcore_predict model.dlcore [batch]
//
// Feeds each input with ones, prints the outputs' first numbers and the time of one call.
#include <dlcore/dlcore.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

dlcore::Tensor ones(dlcore::TensorSpec spec, std::int64_t batch) {
  for (int axis = 0; axis < spec.shape.rank(); ++axis)
    if (spec.shape[axis] == dlcore::Shape::kUnknown) spec.shape[axis] = batch;
  const dlcore::Tensor one = dlcore::Tensor::scalar(spec.dtype, 1);
  return dlcore::ops::broadcast_like(one, dlcore::Tensor::zeros(spec.dtype, spec.shape));
}

void print(const dlcore::Tensor& tensor) {
  const dlcore::Tensor numbers = dlcore::ops::cast(tensor, dlcore::DType::F32);
  const std::int64_t count = numbers.shape().elements();
  std::printf("%s:", dlcore::str(tensor.spec()).c_str());
  for (std::int64_t i = 0; i < count && i < 10; ++i) std::printf(" %.6g", numbers.data<float>()[i]);
  std::printf(count > 10 ? " ...\n" : "\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s model.dlcore [batch]\n", argv[0]);
    return 2;
  }
  try {
    dlcore::Model model = dlcore::Model::load(argv[1]);
    std::vector<dlcore::Tensor> inputs;
    for (const dlcore::TensorSpec& spec : model.inputs("predict"))
      inputs.push_back(ones(spec, argc > 2 ? std::atoll(argv[2]) : 1));

    for (const dlcore::Tensor& output : model.run("predict", inputs)) print(output);

    constexpr int kCalls = 100;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) model.run("predict", inputs);
    const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("%.1f microseconds per call\n", elapsed.count() / kCalls);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
