// Behind a kernel that fails, nothing writes to variables until the host has thrown the error.
#include <cstring>

#include "compare.h"
#include "cuda/kernels/movement.h"
#include "kernels/pointwise/program.h"

namespace dlcore {
namespace {

using namespace testing;

TEST(Faults, ElementwiseKernelsAreGuarded) {
  for (DType dtype : {DType::F32, DType::F16, DType::I64, DType::Bool})
    expect_guarded("maximum", {numbers(dtype, {5, 333}, 1), numbers(dtype, {333}, 2)});
  expect_guarded("exp", {numbers(DType::F32, {}, 3)});
  PointwiseProgram program{2, {}, {2, 3}};  // a + b, a * b
  program.code.push_back({.op = Opcode::Add, .type = DType::F32, .operands = {0, 1}});
  program.code.push_back({.op = Opcode::Mul, .type = DType::F32, .operands = {0, 1}});
  expect_guarded("fused", {numbers(DType::F32, {7, 6}, 4), numbers(DType::F32, {7, 6}, 5)},
                 {{"code", encode_code(program)}, {"immediates", encode_immediates(program)}});
}

TEST(Faults, UpdatesAreGuarded) {
  const Tensor lr = Tensor::scalar(DType::F32, 0.1), step = Tensor::scalar(DType::I64, 3);
  for (DType dtype : kFloats) {
    std::vector<Tensor> in;  // two weights, their gradients, their moments
    for (unsigned kind = 0; kind < 4; ++kind)
      for (const Shape& shape : {Shape{3001}, Shape{7}}) in.push_back(numbers(dtype, shape, kind, 0.1, 1));
    in.push_back(lr), in.push_back(step);
    expect_guarded("adam_update", in, {{"n", std::int64_t{2}}});
    expect_guarded("sgd_update", {in[0], in[1], in[2], in[3], lr}, {{"n", std::int64_t{2}}});
  }
}

TEST(Faults, CopiesToVariablesAreGuarded) {
  const cuda::Context& context = device_context();
  std::vector<unsigned char> from(1000), to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<unsigned char>(i * 7 + 1);
  auto* there = static_cast<std::byte*>(device_allocate(2 * from.size()));
  std::byte* const copied = there + from.size();
  const auto copy = [&](std::size_t shift, std::size_t bytes) {
    cuda::copy_guarded(context.stream, context.faults->guard(true), there + shift, copied + shift, bytes);
    download(to.data(), copied, to.size());
  };
  const std::vector<unsigned char> zeros(from.size());
  for (std::size_t shift : {0, 1, 4, 8})
    for (std::size_t bytes : {0, 1, 4, 100, 128, 976}) {
      std::vector<unsigned char> expected = zeros;
      std::memcpy(expected.data() + shift, from.data() + shift, bytes);
      upload(there, from.data(), from.size());
      upload(copied, zeros.data(), zeros.size());
      fail_on_device();
      copy(shift, bytes);
      EXPECT_EQ(to, zeros) << bytes << " bytes from " << shift;
      EXPECT_NE(error_on_device(), "");
      copy(shift, bytes);
      EXPECT_EQ(to, expected) << bytes << " bytes from " << shift;
    }
  device_free(there, 2 * from.size());
}

}  // namespace
}  // namespace dlcore
