// custom_gradient: passes tensors on, and gets their gradient with respect to others from a function.
#include "ops/custom_gradient.h"

#include <cstring>

#include "ops/checks.h"
#include "ops/families.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

GradientFunction& function() {
  static auto& held = *new GradientFunction;
  return held;
}

std::size_t output_count(std::span<const TensorSpec> in, const Attrs& attrs) {
  const std::int64_t count = attrs.integer("outputs", 1);
  if (count < 1 || count > static_cast<std::int64_t>(in.size()))
    throw value_error("outputs should be between 1 and the number of inputs, ", in.size(), "; got ", count, ".");
  return static_cast<std::size_t>(count);
}

Specs infer_custom_gradient(std::span<const TensorSpec> in, const Attrs& attrs) {
  attrs.integer("key", 0);
  const auto outputs = in.first(output_count(in, attrs));
  return {outputs.begin(), outputs.end()};
}

Kernel plan_custom_gradient(std::span<const TensorSpec>, std::span<const TensorSpec> out, const Attrs&) {
  std::vector<std::size_t> bytes;
  Kernel kernel;
  kernel.label = "custom_gradient";
  for (std::size_t i = 0; i < out.size(); ++i) {
    bytes.push_back(out[i].bytes());
    kernel.in_place.emplace_back(static_cast<int>(i), static_cast<int>(i));
  }
  kernel.run = [bytes](const Buffers& buffers) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (buffers.out[i] != buffers.in[i]) std::memcpy(buffers.out[i], buffers.in[i], bytes[i]);
  };
  return kernel;
}

std::vector<Tensor> custom_gradient_vjp(const VjpContext& context) {
  if (!function()) throw value_error("no function for custom gradients is set: they belong to the Python package.");
  const std::size_t outputs = context.out.size();
  std::vector<Tensor> din(outputs);  // what is passed on gets no gradient
  for (Tensor& d : function()(context.attrs.integer("key", 0), context.in.subspan(outputs), context.out, context.dout))
    din.push_back(std::move(d));
  if (din.size() != context.in.size())
    throw value_error("a custom gradient gave ", din.size() - outputs, " gradients for ", context.in.size() - outputs,
                      " inputs.");
  return din;
}

}  // namespace

void set_gradient_function(GradientFunction given) { function() = std::move(given); }

void register_custom_gradient() {
  register_primitive({.name = "custom_gradient",
                      .infer = infer_custom_gradient,
                      .plan = plan_custom_gradient,
                      .vjp = custom_gradient_vjp});
}

}  // namespace dlcore
