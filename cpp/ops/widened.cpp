#include "ops/widened.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"
#include "kernels/float16.h"

namespace dlcore {

namespace {

constexpr std::int64_t kChunk = 4096;  // elements

bool is_narrow(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16; }

template <class Body>
void for_ranges(std::int64_t elements, const Body& body) {
  parallel_for((elements + kChunk - 1) / kChunk, static_cast<double>(elements), [&](std::int64_t chunk) {
    for (std::int64_t i = chunk * kChunk; i < std::min(elements, (chunk + 1) * kChunk); ++i) body(i);
  });
}

void widen_all(DType dtype, const void* from, std::int64_t elements, float* to) {
  if (dtype == DType::F16)
    for_ranges(elements, [&](std::int64_t i) { to[i] = widen(static_cast<const Half*>(from)[i]); });
  else
    for_ranges(elements, [&](std::int64_t i) { to[i] = widen(static_cast<const Bfloat*>(from)[i]); });
}

void narrow_all(DType dtype, const float* from, std::int64_t elements, void* to) {
  if (dtype == DType::F16)
    for_ranges(elements, [&](std::int64_t i) { static_cast<Half*>(to)[i] = narrow<Half>(from[i]); });
  else
    for_ranges(elements, [&](std::int64_t i) { static_cast<Bfloat*>(to)[i] = narrow<Bfloat>(from[i]); });
}

/// An operand with its place in the scratch, if it needs one.
struct Operand {
  DType dtype;
  std::int64_t elements;
  std::size_t at;
  bool converted;
};

std::vector<Operand> place(std::span<const TensorSpec> specs, unsigned skipped, std::size_t& used) {
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const bool converted = is_narrow(specs[i].dtype) && !(skipped >> i & 1);
    operands.push_back({specs[i].dtype, converted ? specs[i].shape.elements() : 0, used, converted});
    used += (static_cast<std::size_t>(operands.back().elements) * sizeof(float) + 63) / 64 * 64;
  }
  return operands;
}

}  // namespace

Specs widened(std::span<const TensorSpec> specs) {
  Specs wide(specs.begin(), specs.end());
  for (TensorSpec& spec : wide)
    if (is_narrow(spec.dtype)) spec.dtype = DType::F32;
  return wide;
}

Kernel narrowed(Kernel kernel, std::span<const TensorSpec> in, std::span<const TensorSpec> out, unsigned shape_only) {
  std::size_t used = (kernel.scratch_bytes + 63) / 64 * 64;
  const std::vector<Operand> inputs = place(in, shape_only, used), outputs = place(out, 0, used);
  Kernel result{nullptr, used, kernel.label + "_widened", kernel.flops};
  result.run = [inner = std::move(kernel.run), inputs, outputs](const Buffers& buffers) {
    std::byte* const scratch = static_cast<std::byte*>(buffers.scratch);
    std::array<const void*, 8> in_bytes{};
    std::array<void*, 8> out_bytes{};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      in_bytes[i] = inputs[i].converted ? scratch + inputs[i].at : buffers.in[i];
      if (inputs[i].converted)
        widen_all(inputs[i].dtype, buffers.in[i], inputs[i].elements, reinterpret_cast<float*>(scratch + inputs[i].at));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i)
      out_bytes[i] = outputs[i].converted ? scratch + outputs[i].at : buffers.out[i];
    inner({in_bytes.data(), out_bytes.data(), scratch});
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].converted)
        narrow_all(outputs[i].dtype, static_cast<const float*>(out_bytes[i]), outputs[i].elements, buffers.out[i]);
  };
  return result;
}

}  // namespace dlcore
