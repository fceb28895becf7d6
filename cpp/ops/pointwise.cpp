// Elementwise primitives with NumPy broadcasting. One kernel serves all: a tiled program of one instruction, or of the
// chain that the fusion pass made (`fused`).
#include <algorithm>
#include <cmath>
#include <memory>

#include "dlcore/ops.h"
#include "kernels/pointwise/program.h"
#include "ops/broadcast.h"
#include "ops/families.h"
#include "ops/pointwise.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using namespace ops;
using Gradients = std::vector<Tensor>;

// ---- shape rules

void expect_operands(std::span<const TensorSpec> in, int count) {
  if (in.size() != static_cast<std::size_t>(count))
    throw value_error("expected ", count, count == 1 ? " input" : " inputs", "; got ", in.size(), ".");
}

void expect_domain(DType dtype, OpcodeInfo::Domain domain) {
  if (domain == OpcodeInfo::Float && !is_float(dtype))
    throw type_error("expected a floating-point dtype; got ", dtype, ". Cast first, e.g. to float32.");
  if (domain == OpcodeInfo::Integer && (is_float(dtype) || dtype == DType::Bool))
    throw type_error("expected an integer dtype; got ", dtype, ". Cast first, e.g. to int32.");
  if (domain == OpcodeInfo::Number && dtype == DType::Bool)
    throw type_error("expected numbers; got bool. Cast first, e.g. to int32.");
  if (domain == OpcodeInfo::Boolean && dtype != DType::Bool)
    throw type_error("expected bool; got ", dtype, ". Cast first, or compare with 0.");
}

void expect_same_dtype(const TensorSpec& a, const TensorSpec& b) {
  if (a.dtype != b.dtype)
    throw type_error("operands have different dtypes: ", a, " and ", b, ". Cast one to the other's dtype first.");
}

/// The operand whose dtype an instruction computes in: the condition of `where` comes before it.
int typed_operand(Opcode op) { return op == Opcode::Where ? 1 : 0; }

Specs infer_elementwise(Opcode op, std::span<const TensorSpec> in, const Attrs& attrs) {
  const OpcodeInfo& info = info_of(op);
  expect_operands(in, info.operands);
  if (op == Opcode::Where) expect_domain(in[0].dtype, OpcodeInfo::Boolean);
  const TensorSpec& typed = in[typed_operand(op)];
  expect_domain(typed.dtype, info.domain);
  Shape shape = in[0].shape;
  for (int i = 1; i < info.operands; ++i) {
    if (i > typed_operand(op)) expect_same_dtype(typed, in[i]);
    shape = broadcast_shapes(shape, in[i].shape);
  }
  DType result = info.makes_bool ? DType::Bool : typed.dtype;
  if (op == Opcode::Cast) result = attrs.dtype("dtype", DType::F32);
  return {{result, shape}};
}

Specs infer_fused(std::span<const TensorSpec> in, const Attrs& attrs) {
  const PointwiseProgram program = decode_program(attrs.integers("code", {}), attrs.numbers("immediates", {}));
  expect_operands(in, program.inputs);
  Shape shape = in[0].shape;
  std::vector<DType> registers;
  for (const TensorSpec& spec : in) {
    shape = broadcast_shapes(shape, spec.shape);
    registers.push_back(spec.dtype);
  }
  for (const Instruction& instruction : program.code) {
    const OpcodeInfo& info = info_of(instruction.op);
    expect_domain(instruction.type, info.domain);
    for (int k = 0; k < info.operands; ++k) {
      const DType expected = k < typed_operand(instruction.op) ? DType::Bool : instruction.type;
      const DType got = registers[instruction.operands[k]];
      if (got != expected)
        throw type_error(info.primitive, " in the program expects ", expected, " as operand ", k, "; got ", got, ".");
    }
    registers.push_back(instruction.result());
  }
  Specs results;
  for (int output : program.outputs) results.push_back({registers[output], shape});
  return results;
}

// ---- kernels

/// alpha of elu, the slope of leaky_relu.
double immediate_of(Opcode op, const Attrs& attrs) {
  if (op == Opcode::Elu) return attrs.number("alpha", 1.0);
  if (op == Opcode::LeakyRelu) return attrs.number("negative_slope", 0.2);
  return 0;
}

Instruction instruction_for(Opcode op, std::span<const TensorSpec> in, const Attrs& attrs) {
  Instruction instruction{op, in[typed_operand(op)].dtype, {}, immediate_of(op, attrs)};
  if (op == Opcode::Cast) instruction.cast_to = attrs.dtype("dtype", DType::F32);
  return instruction;
}

Kernel plan_program(const PointwiseProgram& program, std::span<const TensorSpec> in, const Shape& shape,
                    std::string label) {
  std::vector<TiledProgram::Input> inputs;
  for (const TensorSpec& spec : in) inputs.push_back({spec.dtype, spec.shape});
  const auto tiled = std::make_shared<const TiledProgram>(program, inputs, shape);
  Kernel kernel;
  kernel.run = [tiled](const Buffers& buffers) { tiled->run(buffers.in, buffers.out); };
  kernel.label = std::move(label);
  kernel.flops = static_cast<double>(program.code.size()) * static_cast<double>(shape.elements());
  kernel.in_place = tiled->in_place();
  return kernel;
}

bool is_approximate(const Attrs& attrs) { return attrs.boolean("approximate", false); }

std::string label_of(Opcode op, DType dtype) {
  return std::string(info_of(op).primitive).append(1, '_').append(name_of(dtype));
}

Kernel plan_elementwise(Opcode op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                        const Attrs& attrs) {
  Instruction instruction = instruction_for(op, in, attrs);
  const int operands = info_of(op).operands;
  for (int k = 0; k < operands; ++k) instruction.operands[k] = k;
  return plan_program({operands, {instruction}, {operands}}, in, out[0].shape, label_of(op, instruction.type));
}

Kernel plan_fused(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
  const PointwiseProgram program = decode_program(attrs.integers("code", {}), attrs.numbers("immediates", {}));
  std::string label = "fused";
  for (const Instruction& instruction : program.code) label.append(1, '_').append(info_of(instruction.op).primitive);
  return plan_program(program, in, out[0].shape, std::move(label));
}

// ---- registration

using Vjp = std::function<Gradients(const VjpContext&)>;

void add_elementwise(Opcode op, Vjp vjp = nullptr) {
  Primitive primitive;
  primitive.name = info_of(op).primitive;
  primitive.infer = [op](std::span<const TensorSpec> in, const Attrs& attrs) {
    return infer_elementwise(op, in, attrs);
  };
  primitive.plan = [name = primitive.name](std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                                           const Attrs& attrs) {
    return plan_elementwise(*opcode_of(name, is_approximate(attrs)), in, out, attrs);
  };
  primitive.vjp = std::move(vjp);
  register_primitive(std::move(primitive));
}

/// A function of one operand: rule(x, y, dy) is the gradient of x.
template <class Rule>
void add_unary(Opcode op, Rule rule) {
  add_elementwise(op, [rule](const VjpContext& c) -> Gradients { return {rule(c.in[0], c.out[0], c.dout[0])}; });
}

/// A function of broadcast operands: rule(i, context) is the gradient of operand i before it is summed to i's shape.
template <class Rule>
void add_broadcast(Opcode op, Rule rule) {
  add_elementwise(op, [rule](const VjpContext& c) {
    Gradients gradients(c.in.size());
    for (std::size_t i = 0; i < c.in.size(); ++i) {
      if (!c.wanted[i]) continue;
      const Tensor gradient = rule(static_cast<int>(i), c);
      if (gradient) gradients[i] = sum_like(gradient, c.in[i]);
    }
    return gradients;
  });
}

/// dy where the condition holds, else 0.
Tensor keep_where(const Tensor& condition, const Tensor& dy) { return where(condition, dy, scalar_like(dy, 0)); }

constexpr double kLn2 = 0.693147180559945309417, kLn10 = 2.302585092994045684018;
constexpr double kPi = 3.141592653589793238463;

void register_arithmetic_unary() {
  using enum Opcode;
  using T = const Tensor&;
  add_unary(Neg, [](T, T, T dy) { return -dy; });
  add_unary(Abs, [](T x, T, T dy) { return dy * unary("sign", x); });
  add_unary(Square, [](T x, T, T dy) { return dy * (2.0 * x); });
  add_unary(Sqrt, [](T, T y, T dy) { return dy * 0.5 / y; });
  add_unary(Rsqrt, [](T, T y, T dy) { return dy * (-0.5 * unary("square", y) * y); });
  add_unary(Reciprocal, [](T, T y, T dy) { return -(dy * unary("square", y)); });
  for (Opcode op : {Sign, Floor, Ceil, Round, Trunc, IsNan, IsInf, IsFinite, LogicalNot}) add_elementwise(op);
  add_unary(Cast,
            [](T x, T y, T dy) { return is_float(x.dtype()) && is_float(y.dtype()) ? cast(dy, x.dtype()) : Tensor(); });
}

void register_transcendental() {
  using enum Opcode;
  using T = const Tensor&;
  add_unary(Exp, [](T, T y, T dy) { return dy * y; });
  add_unary(Expm1, [](T, T y, T dy) { return dy * (y + 1.0); });
  add_unary(Log, [](T x, T, T dy) { return dy / x; });
  add_unary(Log1p, [](T x, T, T dy) { return dy / (x + 1.0); });
  add_unary(Log2, [](T x, T, T dy) { return dy / (x * kLn2); });
  add_unary(Log10, [](T x, T, T dy) { return dy / (x * kLn10); });
  add_unary(Sin, [](T x, T, T dy) { return dy * unary("cos", x); });
  add_unary(Cos, [](T x, T, T dy) { return -(dy * unary("sin", x)); });
  add_unary(Tan, [](T, T y, T dy) { return dy * (1.0 + unary("square", y)); });
  add_unary(Asin, [](T x, T, T dy) { return dy * unary("rsqrt", 1.0 - unary("square", x)); });
  add_unary(Acos, [](T x, T, T dy) { return -(dy * unary("rsqrt", 1.0 - unary("square", x))); });
  add_unary(Atan, [](T x, T, T dy) { return dy / (1.0 + unary("square", x)); });
  add_unary(Sinh, [](T x, T, T dy) { return dy * unary("cosh", x); });
  add_unary(Cosh, [](T x, T, T dy) { return dy * unary("sinh", x); });
  add_unary(Asinh, [](T x, T, T dy) { return dy * unary("rsqrt", unary("square", x) + 1.0); });
  add_unary(Acosh, [](T x, T, T dy) { return dy * unary("rsqrt", unary("square", x) - 1.0); });
  add_unary(Atanh, [](T x, T, T dy) { return dy / (1.0 - unary("square", x)); });
  add_unary(Erf, [](T x, T, T dy) { return dy * (2.0 / std::sqrt(kPi) * unary("exp", -unary("square", x))); });
}

/// dy * gelu'(x), of the form that the attributes say.
Tensor gelu_grad(const Tensor& dy, const Tensor& x, const Attrs& attrs) { return apply("gelu_grad", {dy, x}, attrs); }

/// gelu''(x) = phi(x) * (2 - x^2)
Tensor gelu_curvature(const Tensor& x) {
  const Tensor square = unary("square", x);
  return unary("exp", -0.5 * square) * (2.0 - square) / std::sqrt(2 * kPi);
}
/// (x * s)'' = 2s' + x * s'' with s = sigmoid(w), s' = s * (1 - s) * w', w = 2 sqrt(2/pi) * (x + 0.044715 x^3)
Tensor gelu_tanh_curvature(const Tensor& x) {
  const double scale = 2 * std::sqrt(2 / kPi), cube = 0.044715 * scale;
  const Tensor square = unary("square", x), s = unary("sigmoid", x * (scale + cube * square));
  const Tensor slope = scale + 3 * cube * square;  // of w
  return s * (1.0 - s) * (2.0 * slope + x * ((1.0 - 2.0 * s) * unary("square", slope) + 6 * cube * x));
}

void register_gelu() {
  add_elementwise(Opcode::Gelu,
                  [](const VjpContext& c) -> Gradients { return {gelu_grad(c.dout[0], c.in[0], c.attrs)}; });
  add_broadcast(Opcode::GeluGrad, [](int i, const VjpContext& c) {
    const Tensor &g = c.dout[0], &dy = c.in[0], &x = c.in[1];
    if (i == 0) return gelu_grad(g, x, c.attrs);
    return g * dy * (is_approximate(c.attrs) ? gelu_tanh_curvature(x) : gelu_curvature(x));
  });
}

void register_activations() {
  using enum Opcode;
  using T = const Tensor&;
  add_unary(Relu, [](T, T y, T dy) { return binary("relu_grad", dy, y); });
  add_unary(Sigmoid, [](T, T y, T dy) { return binary("sigmoid_grad", dy, y); });
  add_unary(Tanh, [](T, T y, T dy) { return binary("tanh_grad", dy, y); });
  add_unary(Softplus, [](T x, T, T dy) { return dy * unary("sigmoid", x); });
  add_unary(Silu, [](T x, T y, T dy) {
    const Tensor s = unary("sigmoid", x);
    return dy * (s + y * (1.0 - s));
  });
  register_gelu();
  add_elementwise(Elu, [](const VjpContext& c) -> Gradients {
    const Tensor negative = c.out[0] + c.attrs.number("alpha", 1.0);
    return {where(binary("greater", c.in[0], scalar_like(c.in[0], 0)), c.dout[0], c.dout[0] * negative)};
  });
  add_elementwise(LeakyRelu, [](const VjpContext& c) -> Gradients {
    const Tensor negative = c.dout[0] * c.attrs.number("negative_slope", 0.2);
    return {where(binary("greater", c.in[0], scalar_like(c.in[0], 0)), c.dout[0], negative)};
  });
  // f'(x) written with y = f(x): dy * mask, dy * y(1 - y), dy * (1 - y^2)
  add_broadcast(ReluGrad,
                [](int i, const VjpContext& c) { return i == 0 ? binary("relu_grad", c.dout[0], c.in[1]) : Tensor(); });
  add_broadcast(SigmoidGrad, [](int i, const VjpContext& c) {
    const Tensor &g = c.dout[0], &dy = c.in[0], &y = c.in[1];
    return i == 0 ? binary("sigmoid_grad", g, y) : g * dy * (1.0 - 2.0 * y);
  });
  add_broadcast(TanhGrad, [](int i, const VjpContext& c) {
    const Tensor &g = c.dout[0], &dy = c.in[0], &y = c.in[1];
    return i == 0 ? binary("tanh_grad", g, y) : g * dy * (-2.0 * y);
  });
}

/// Gradients of a^b, finite where the function is smooth: b * a^(b-1) is 0 for b = 0, a^b * log(a) is 0 for a = 0.
Tensor power_gradient(int i, const VjpContext& c) {
  const Tensor &a = c.in[0], &b = c.in[1], &y = c.out[0], &dy = c.dout[0];
  if (i == 0) {
    const Tensor exponent = where(binary("equal", b, scalar_like(b, 0)), scalar_like(b, 1), b - 1.0);
    return dy * (b * binary("pow", a, exponent));
  }
  const Tensor positive = where(binary("greater", a, scalar_like(a, 0)), a, scalar_like(a, 1));
  return dy * (y * unary("log", positive));
}

/// The operand that won gets dy; equal ones get half of it each.
Tensor extremum_gradient(const char* wins, int i, const VjpContext& c) {
  const Tensor &own = c.in[i], &other = c.in[1 - i], &dy = c.dout[0];
  const Tensor otherwise = where(binary("equal", own, other), dy * 0.5, scalar_like(dy, 0));
  return where(binary(wins, own, other), dy, otherwise);
}

void register_binary() {
  using enum Opcode;
  using C = const VjpContext&;
  add_broadcast(Add, [](int, C c) { return c.dout[0]; });
  add_broadcast(Sub, [](int i, C c) { return i == 0 ? c.dout[0] : -c.dout[0]; });
  add_broadcast(Mul, [](int i, C c) { return c.dout[0] * c.in[1 - i]; });
  add_broadcast(Div, [](int i, C c) { return i == 0 ? c.dout[0] / c.in[1] : -(c.dout[0] * c.out[0] / c.in[1]); });
  add_broadcast(Pow, power_gradient);
  add_broadcast(Minimum, [](int i, C c) { return extremum_gradient("less", i, c); });
  add_broadcast(Maximum, [](int i, C c) { return extremum_gradient("greater", i, c); });
  add_broadcast(
      Mod, [](int i, C c) { return i == 0 ? c.dout[0] : -(c.dout[0] * binary("floor_divide", c.in[0], c.in[1])); });
  add_broadcast(Atan2, [](int i, C c) {
    const Tensor slope = c.in[1 - i] / (unary("square", c.in[0]) + unary("square", c.in[1]));
    return i == 0 ? c.dout[0] * slope : -(c.dout[0] * slope);
  });
  for (Opcode op : {FloorDivide, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, LogicalAnd, LogicalOr,
                    LogicalXor, BitwiseAnd, BitwiseOr, BitwiseXor, ShiftLeft, ShiftRight, Gcd})
    add_elementwise(op);
}

void register_ternary() {
  add_broadcast(Opcode::Where, [](int i, const VjpContext& c) {
    const Tensor zero = scalar_like(c.dout[0], 0);
    if (i == 0) return Tensor();
    return i == 1 ? where(c.in[0], c.dout[0], zero) : where(c.in[0], zero, c.dout[0]);
  });
  add_broadcast(Opcode::Clip, [](int i, const VjpContext& c) {
    const Tensor &x = c.in[0], &low = c.in[1], &high = c.in[2], &dy = c.dout[0];
    if (i == 1) return keep_where(binary("less", x, low), dy);
    if (i == 2) return keep_where(binary("greater", x, high), dy);
    return keep_where(binary("logical_and", binary("greater_equal", x, low), binary("less_equal", x, high)), dy);
  });
}

}  // namespace

std::optional<Instruction> instruction_of(const Primitive& op, std::span<const TensorSpec> in, const Attrs& attrs) {
  const std::optional<Opcode> opcode = opcode_of(op.name, is_approximate(attrs));
  if (!opcode) return std::nullopt;
  return instruction_for(*opcode, in, attrs);
}

void register_pointwise() {
  register_arithmetic_unary();
  register_transcendental();
  register_activations();
  register_binary();
  register_ternary();
  Primitive fused;
  fused.name = "fused";
  fused.infer = infer_fused;
  fused.plan = plan_fused;
  register_primitive(std::move(fused));
}

}  // namespace dlcore
