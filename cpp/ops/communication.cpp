// What processes that train together exchange.
#include <cstring>

#include "ops/checks.h"
#include "ops/families.h"
#include "program/primitive.h"
#include "program/process_group.h"

namespace dlcore {

namespace {

ProcessGroup& group() {
  static auto& one = *new ProcessGroup;
  return one;
}

bool can_be_summed(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::I32 || dtype == DType::I64;
}

Specs infer_all_reduce(std::span<const TensorSpec> in, const Attrs&) {
  expect_inputs(in, 1, SIZE_MAX);
  for (const TensorSpec& spec : in)
    if (spec.dtype != in[0].dtype || !can_be_summed(spec.dtype))
      throw type_error("got ", in[0], " and ", spec,
                       "; expected tensors of one dtype: float32, float64, int32 or int64.");
  return {in.begin(), in.end()};
}

// All tensors travel as one message.
Kernel plan_all_reduce(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  std::vector<std::size_t> bytes;
  std::size_t total = 0;
  Kernel kernel;
  kernel.label = "all_reduce";
  for (std::size_t i = 0; i < in.size(); ++i) {
    bytes.push_back(in[i].bytes());
    total += bytes.back();
    kernel.in_place.emplace_back(static_cast<int>(i), static_cast<int>(i));
  }
  kernel.scratch_bytes = total;
  kernel.run = [bytes, total, dtype = in[0].dtype](const Buffers& b) {
    auto* message = static_cast<std::byte*>(b.scratch);
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); at += bytes[i++])
      if (bytes[i]) std::memcpy(message + at, b.in[i], bytes[i]);
    if (group().size > 1) group().sum(message, static_cast<std::int64_t>(total / size_of(dtype)), dtype);
    at = 0;
    for (std::size_t i = 0; i < bytes.size(); at += bytes[i++])
      if (bytes[i]) std::memcpy(b.out[i], message + at, bytes[i]);
  };
  return kernel;
}

// Inputs: what an all_reduce_start got, then what it gave, which is passed on.
std::size_t messages(std::span<const TensorSpec> in) {
  if (in.empty() || in.size() % 2)
    throw value_error("got ", in.size(), " inputs; expected those of a start and its outputs.");
  return in.size() / 2;
}

Specs infer_wait(std::span<const TensorSpec> in, const Attrs&) {
  const auto given = in.last(messages(in));
  return {given.begin(), given.end()};
}

Kernel plan_wait(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs&) {
  const std::size_t count = messages(in);
  std::vector<std::size_t> bytes;
  Kernel kernel;
  kernel.label = "all_reduce_wait";
  for (std::size_t i = 0; i < count; ++i) {
    bytes.push_back(out[i].bytes());
    kernel.in_place.emplace_back(static_cast<int>(i), static_cast<int>(count + i));
  }
  kernel.run = [bytes, count](const Buffers& b) {
    for (std::size_t i = 0; i < count; ++i)
      if (b.out[i] != b.in[count + i] && bytes[i]) std::memcpy(b.out[i], b.in[count + i], bytes[i]);
  };
  return kernel;
}

}  // namespace

const ProcessGroup& process_group() { return group(); }
void set_process_group(ProcessGroup given) { group() = std::move(given); }

void register_communication() {
  register_primitive(
      {.name = "all_reduce", .infer = infer_all_reduce, .plan = plan_all_reduce, .meets_processes = true});
  register_primitive(
      {.name = "all_reduce_start", .infer = infer_all_reduce, .plan = plan_all_reduce, .meets_processes = true});
  register_primitive({.name = "all_reduce_wait", .infer = infer_wait, .plan = plan_wait, .meets_processes = true});
}

}  // namespace dlcore
