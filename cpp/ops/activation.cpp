#include "ops/activation.h"

#include <array>

namespace dlcore {

namespace {

struct ActivationName {
  std::string_view name;
  Activation activation;
  const char* primitive;
};
constexpr std::array kNames{
    ActivationName{"relu", Activation::Relu, "relu"},
    ActivationName{"sigmoid", Activation::Sigmoid, "sigmoid"},
    ActivationName{"tanh", Activation::Tanh, "tanh"},
    ActivationName{"gelu", Activation::Gelu, "gelu"},
    ActivationName{"gelu_tanh", Activation::GeluTanh, "gelu"},
    ActivationName{"silu", Activation::Silu, "silu"},
    ActivationName{"softplus", Activation::Softplus, "softplus"},
};

const ActivationName* find_activation(const Attrs& attrs) {
  const std::string name = attrs.text("activation", "");
  if (name.empty()) return nullptr;
  std::string known;
  for (const ActivationName& entry : kNames) {
    if (entry.name == name) return &entry;
    known += str(known.empty() ? "" : ", ", "'", entry.name, "'");
  }
  throw value_error("activation '", name, "' is not known; expected '' or one of ", known, ".");
}

}  // namespace

Activation activation_of(const Attrs& attrs) {
  const ActivationName* found = find_activation(attrs);
  return found ? found->activation : Activation::None;
}

Tensor activation_gradient(const Attrs& attrs, const Tensor& y, const Tensor& dy,
                           const std::function<Tensor()>& before) {
  const ActivationName* found = find_activation(attrs);
  if (!found) return dy;
  Attrs own;
  if (found->activation == Activation::GeluTanh) own.set("approximate", true);
  const Tensor x = before();
  const bool wanted = true;
  return primitive(found->primitive).vjp({{&x, 1}, {&y, 1}, own, {&dy, 1}, {&wanted, 1}})[0];
}

Attrs without_activation(const Attrs& attrs) {
  Attrs rest;
  for (const auto& [name, value] : attrs.items())
    if (name != "activation") rest.set(name, value);
  return rest;
}

}  // namespace dlcore
