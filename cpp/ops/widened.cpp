#include "ops/widened.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"
#include "kernels/pointwise/pointwise.h"

namespace dlcore {

namespace {

constexpr std::int64_t kChunk = 16384;  // elements

bool is_narrow(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16; }

void convert(DType from_dtype, const void* from, DType to_dtype, void* to, std::int64_t elements) {
  const TileFn convert_tile = pointwise_kernels().convert[static_cast<int>(from_dtype)][static_cast<int>(to_dtype)];
  const std::int64_t from_bytes = static_cast<std::int64_t>(size_of(from_dtype));
  const std::int64_t to_bytes = static_cast<std::int64_t>(size_of(to_dtype));
  parallel_for((elements + kChunk - 1) / kChunk, 0.4 * static_cast<double>(elements), [&](std::int64_t chunk) {
    const std::int64_t first = chunk * kChunk;
    convert_tile(static_cast<std::byte*>(to) + first * to_bytes,
                 static_cast<const std::byte*>(from) + first * from_bytes, nullptr, nullptr,
                 std::min(kChunk, elements - first), 0);
  });
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
  const auto narrow = [](const TensorSpec& spec) { return is_narrow(spec.dtype); };
  if (std::none_of(in.begin(), in.end(), narrow) && std::none_of(out.begin(), out.end(), narrow)) return kernel;
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
        convert(inputs[i].dtype, buffers.in[i], DType::F32, scratch + inputs[i].at, inputs[i].elements);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i)
      out_bytes[i] = outputs[i].converted ? scratch + outputs[i].at : buffers.out[i];
    inner({in_bytes.data(), out_bytes.data(), scratch});
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].converted)
        convert(DType::F32, out_bytes[i], outputs[i].dtype, buffers.out[i], outputs[i].elements);
  };
  return result;
}

}  // namespace dlcore
