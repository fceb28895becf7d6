#include "ops/epilogue.h"

#include <array>

namespace dlcore {

namespace {

struct NamedActivation {
  std::string_view name;
  Activation activation;
  std::string_view primitive;
  bool approximate;
};

constexpr std::array kActivations{
    NamedActivation{"", Activation::None, "", false},
    NamedActivation{"relu", Activation::Relu, "relu", false},
    NamedActivation{"sigmoid", Activation::Sigmoid, "sigmoid", false},
    NamedActivation{"tanh", Activation::Tanh, "tanh", false},
    NamedActivation{"gelu", Activation::Gelu, "gelu", false},
    NamedActivation{"gelu_tanh", Activation::GeluTanh, "gelu", true},
    NamedActivation{"silu", Activation::Silu, "silu", false},
    NamedActivation{"softplus", Activation::Softplus, "softplus", false},
};

const NamedActivation& find_activation(const Attrs& attrs) {
  const std::string name = attrs.text("activation", "");
  std::string known;
  for (const NamedActivation& entry : kActivations) {
    if (entry.name == name) return entry;
    known += str(known.empty() ? "'" : ", '", entry.name, "'");
  }
  throw value_error("activation is '", name, "'; expected one of ", known, ".");
}

}  // namespace

Activation read_activation(const Attrs& attrs) { return find_activation(attrs).activation; }

Attrs without_activation(const Attrs& attrs) {
  Attrs rest;
  for (const auto& [name, value] : attrs.items())
    if (name != "activation") rest.set(name, value);
  return rest;
}

Tensor before_activation(const VjpContext& context, std::string_view op) {
  const NamedActivation& entry = find_activation(context.attrs);
  const Tensor &dy = context.dout[0], &y = context.out[0];
  switch (entry.activation) {
    case Activation::None:
      return dy;
    case Activation::Relu:
      return apply("relu_grad", {dy, y});
    case Activation::Sigmoid:
      return apply("sigmoid_grad", {dy, y});
    case Activation::Tanh:
      return apply("tanh_grad", {dy, y});
    default:
      break;
  }
  // The others do not follow from their result: compute what went in again.
  const Tensor z = apply_all(op, context.in, without_activation(context.attrs))[0];
  const Attrs attrs = entry.primitive == "gelu" ? Attrs{{"approximate", entry.approximate}} : Attrs{};
  const bool wanted = true;
  return primitive(entry.primitive).vjp({{&z, 1}, {&y, 1}, attrs, {&dy, 1}, {&wanted, 1}})[0];
}

}  // namespace dlcore
