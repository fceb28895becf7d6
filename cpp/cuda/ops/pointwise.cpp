// Elementwise primitives: each is a program, alone or a fused chain, whose kernel is made from its text.
#include "ops/pointwise.h"
#include "cuda/jit.h"
#include "cuda/ops/families.h"
#include "cuda/ops/pointwise_source.h"

namespace dlcore::cuda {

namespace {

/// An output may take the place of an input that has its shape and dtype: a thread reads its elements before it writes.
std::vector<std::pair<int, int>> in_place_pairs(std::span<const TensorSpec> in, std::span<const TensorSpec> out) {
  std::vector<std::pair<int, int>> pairs;
  for (int j = 0; j < static_cast<int>(out.size()); ++j)
    for (int i = 0; i < static_cast<int>(in.size()); ++i)
      if (in[i] == out[j]) pairs.emplace_back(j, i);
  return pairs;
}

std::string label_of(const PointwiseProgram& program) {
  std::string label = "pointwise";
  for (const Instruction& instruction : program.code) label.append(1, '_').append(info_of(instruction.op).primitive);
  return label;
}

Kernel plan_program(const PointwiseProgram& program, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                    const Context& context) {
  constexpr unsigned kThreads = 256;
  const long long n = out[0].shape.elements();
  if (n == 0) return {.run = [](const Buffers&) {}, .label = "pointwise", .has_guard = true};
  const PointwiseSource source = pointwise_source(program, in, out[0].shape);
  const auto blocks = static_cast<unsigned>((n + kThreads * source.width - 1) / (kThreads * source.width));
  Kernel kernel;
  kernel.run = [=, jit = jit_kernel(source.name, source.text), inputs = in.size(), outputs = out.size(),
                &context](const Buffers& buffers) {
    const void* pointers[kMaxInputs + kMaxInstructions];
    void* parameters[kMaxInputs + kMaxInstructions + 2];
    for (std::size_t i = 0; i < inputs; ++i) pointers[i] = buffers.in[i];
    for (std::size_t j = 0; j < outputs; ++j) pointers[inputs + j] = buffers.out[j];
    for (std::size_t k = 0; k < inputs + outputs; ++k) parameters[k] = &pointers[k];
    long long count = n;
    const int* guard = context.faults->guard(buffers.guarded);
    parameters[inputs + outputs] = &count;
    parameters[inputs + outputs + 1] = &guard;
    jit->launch(blocks, kThreads, context.stream, parameters);
  };
  kernel.label = label_of(program);
  kernel.flops = static_cast<double>(program.code.size()) * static_cast<double>(n);
  kernel.in_place = in_place_pairs(in, out);
  kernel.has_guard = true;
  return kernel;
}

}  // namespace

void register_pointwise() {
  for (int op = 0; op < kOpcodes; ++op) {
    if (is_approximate(static_cast<Opcode>(op))) continue;  // an attribute chooses it
    const std::string_view name = info_of(static_cast<Opcode>(op)).primitive;
    register_kernel(name, [name](std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs,
                                 const Context& context) {
      Instruction instruction = *instruction_of(primitive(name), in, attrs);
      const int operands = info_of(instruction.op).operands;
      for (int k = 0; k < operands; ++k) instruction.operands[k] = k;
      return plan_program({operands, {instruction}, {operands}}, in, out, context);
    });
  }
  register_kernel("fused", [](std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs,
                              const Context& context) {
    return plan_program(decode_program(attrs.integers("code", {}), attrs.numbers("immediates", {})), in, out, context);
  });
}

}  // namespace dlcore::cuda
