// Not run: compiled with more warnings than the core is, all of them errors.
#include <dlcore/dlcore.h>

#include <vector>

float* elements_of_a_tensor() {
  const std::vector<float> numbers{1, 2};
  return dlcore::Tensor::from<float>(numbers, {2}).data<float>();
}
