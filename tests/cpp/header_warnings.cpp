// Not run: compiled with more warnings than the core is, all of them errors.
#include <dlcore/dlcore.h>

#include <vector>

float* elements_of_a_tensor() {
  const std::vector<float> numbers{1, 2};
  return dlcore::Tensor::from<float>(numbers, {2}).data<float>();
}

std::vector<dlcore::Tensor> run_of_a_model(dlcore::Model& model, const dlcore::Tensor& x) {
  model.run("reset_metrics", {});
  return model.run("train_step", {x / 255 - 0.5, dlcore::Tensor::from({1.f, 2.f}, {2}) * x + -x});
}
