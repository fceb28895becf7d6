#include "compare.h"
#include "kernels/pointwise/program.h"

namespace dlcore {
namespace {

using namespace testing;

/// Bounds in units of the last place, against the CPU's vector functions (2 to 4 units themselves).
Tolerance bound(const std::string& name, DType dtype) {
  if (!is_float(dtype)) return kExact;
  if (dtype == DType::F16 || dtype == DType::BF16) return ulps(1, dtype, 1);
  for (const char* exact :
       {"neg",     "abs",       "sign",         "sqrt",       "rsqrt", "square", "reciprocal", "floor",       "ceil",
        "round",   "trunc",     "relu",         "leaky_relu", "add",   "sub",    "mul",        "div",         "minimum",
        "maximum", "relu_grad", "sigmoid_grad", "tanh_grad",  "where", "clip",   "mod",        "floor_divide"})
    if (name == exact) return kExact;
  return ulps(8, dtype, 4);
}

TEST(Pointwise, OneOperand) {
  Cases cases;
  for (const char* name : {"neg", "abs", "sign", "square", "floor", "ceil", "round", "trunc", "relu"})
    for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64, DType::U8, DType::I8})
      cases.add(name, {numbers(dtype, {261}, 1, dtype == DType::U8 ? 0 : -100, 100)}, {}, bound(name, dtype));
  for (const char* name : {"exp", "expm1", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "asinh", "erf",
                           "sigmoid", "softplus", "silu", "gelu", "elu", "leaky_relu"})
    for (DType dtype : kFloats) cases.add(name, {numbers(dtype, {261}, 2, -6, 6)}, {}, bound(name, dtype));
  for (const char* name : {"sqrt", "rsqrt", "reciprocal", "log", "log1p", "log2", "log10", "acosh"})
    for (DType dtype : kFloats) cases.add(name, {numbers(dtype, {133}, 3, 1.01, 90)}, {}, bound(name, dtype));
  for (const char* name : {"asin", "acos", "atanh"})
    for (DType dtype : kFloats) cases.add(name, {numbers(dtype, {133}, 4, -0.9, 0.9)}, {}, bound(name, dtype));
  cases.add("gelu", {numbers(DType::F32, {100}, 5)}, {{"approximate", true}}, ulps(8, DType::F32, 4));
  cases.add("elu", {numbers(DType::F32, {100}, 5)}, {{"alpha", 0.7}}, ulps(8, DType::F32, 4));
  cases.add("leaky_relu", {numbers(DType::F16, {100}, 5)}, {{"negative_slope", 0.3}}, kExact);
}

TEST(Pointwise, SpecialNumbers) {
  Cases cases;
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> list{0.f, -0.f, 1.f, -1.f, inf, -inf, nan, 88.f, -88.f, -104.f, -90.f, 1e30f, -1e30f};
  const Tensor x = Tensor::from<float>(list, {static_cast<std::int64_t>(list.size())});
  for (const char* name : {"neg", "abs", "sign", "relu", "sigmoid", "softplus", "gelu", "tanh", "erf", "elu",
                           "leaky_relu", "isnan", "isinf", "isfinite", "logical_not", "floor", "sqrt", "log"})
    cases.add(name, {x}, {}, {1e-6, 1e-37});
  Tensor column = Tensor::alias(x, {DType::F32, {x.shape()[0], 1}});
  for (const char* name : {"minimum", "maximum", "equal", "less", "greater_equal", "add", "mul", "div", "relu_grad"})
    cases.add(name, {column, x}, {}, kExact);
  cases.add("gelu_grad", {Tensor::scalar(DType::F32, 2), x}, {}, {1e-6, 1e-37});
  for (DType to : {DType::I32, DType::I64, DType::U8, DType::I8, DType::Bool, DType::F16, DType::BF16, DType::F64})
    cases.add("cast", {x}, {{"dtype", std::string(name_of(to))}});
}

TEST(Pointwise, Casts) {
  Cases cases;
  for (DType from : kAll)
    for (DType to : kAll)
      cases.add("cast", {numbers(from, {37}, 6, from == DType::U8 ? 0 : -120, 120)},
                {{"dtype", std::string(name_of(to))}}, to == DType::F16 || to == DType::BF16 ? ulps(1, to) : kExact);
}

TEST(Pointwise, TwoOperands) {
  Cases cases;
  for (const char* name : {"add", "sub", "mul", "minimum", "maximum", "mod", "floor_divide", "equal", "not_equal",
                           "less", "less_equal", "greater", "greater_equal"})
    for (DType dtype :
         {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64, DType::U8, DType::I8}) {
      const double low = dtype == DType::U8 ? 0 : -5;
      cases.add(name, {numbers(dtype, {259}, 7, low, 6), numbers(dtype, {259}, 8, low, 6)}, {}, bound(name, dtype));
    }
  for (const char* name : {"bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right", "gcd"})
    for (DType dtype : {DType::I32, DType::I64, DType::U8, DType::I8}) {
      const double low = dtype == DType::U8 ? 0 : -128;
      cases.add(name, {numbers(dtype, {259}, 7, low, 127), numbers(dtype, {259}, 8, low / 16, 40)});
      cases.add(name, {numbers(dtype, {16, 1}, 7, low, 127), numbers(dtype, {33}, 8, low, 127)});
    }
  const Tolerance slopes{4e-7, 1e-6};
  for (const bool approximate : {false, true})
    cases.add("gelu_grad", {numbers(DType::F32, {259}, 9), numbers(DType::F32, {259}, 10, -8, 8)},
              {{"approximate", approximate}}, slopes);
  for (const char* name : {"div", "atan2", "relu_grad", "sigmoid_grad", "tanh_grad"})
    for (DType dtype : kFloats)
      cases.add(name, {numbers(dtype, {259}, 9), numbers(dtype, {259}, 10)}, {}, bound(name, dtype));
  for (const char* name : {"logical_and", "logical_or", "logical_xor"})
    cases.add(name, {numbers(DType::Bool, {70}, 11), numbers(DType::Bool, {70}, 12)});
  cases.add("pow", {numbers(DType::F32, {99}, 13, 0.1, 4), numbers(DType::F32, {99}, 14)}, {}, ulps(4, DType::F32));
  cases.add("pow", {numbers(DType::I32, {99}, 13, -4, 5), numbers(DType::I32, {99}, 14, -3, 9)});
}

TEST(Pointwise, Broadcasting) {
  Cases cases;
  const std::vector<std::pair<Shape, Shape>> shapes{
      {{5, 8}, {8}}, {{5, 7}, {7}},          {{5, 8}, {5, 1}},          {{5, 1}, {1, 6}},
      {{}, {9}},     {{3, 1, 8}, {4, 1}},    {{2, 3, 4, 8}, {3, 1, 8}}, {{2, 3, 5}, {2, 1, 5}},
      {{1, 1}, {1}}, {{4, 4, 4}, {4, 1, 4}}, {{300, 16}, {16}},         {{0, 3}, {3}}};
  for (const auto& [a, b] : shapes)
    for (DType dtype : {DType::F32, DType::F16, DType::F64, DType::I8})
      cases.add("add", {numbers(dtype, a, 15), numbers(dtype, b, 16)}, {},
                dtype == DType::F16 ? ulps(1, dtype, 1) : kExact);
  cases.add("where", {numbers(DType::Bool, {4, 1}, 17), numbers(DType::F32, {4, 12}, 18), numbers(DType::F32, {}, 19)});
  cases.add("where",
            {numbers(DType::Bool, {4, 12}, 17), numbers(DType::I64, {12}, 18), numbers(DType::I64, {4, 1}, 19)});
  cases.add("clip",
            {numbers(DType::F32, {55}, 20), numbers(DType::F32, {}, 21, -1, 0), numbers(DType::F32, {55}, 22, 0, 1)});
}

/// relu(x * w + b) and its mask, with a cast in between.
TEST(Pointwise, FusedChain) {
  Cases cases;
  for (DType dtype : {DType::F32, DType::F16, DType::BF16})
    for (const Shape& shape : {Shape{33, 16}, Shape{33, 15}, Shape{1, 1}}) {
      PointwiseProgram program;
      program.inputs = 3;
      program.code = {{Opcode::Mul, dtype, {0, 1}},
                      {Opcode::Add, dtype, {3, 2}},
                      {Opcode::LeakyRelu, dtype, {4}, 0.1},
                      {Opcode::Greater, dtype, {4, 2}},
                      {Opcode::Cast, dtype, {5}, 0, DType::F32}};
      program.outputs = {5, 6, 7};
      cases.add("fused", {numbers(dtype, shape, 23), numbers(dtype, {}, 24), numbers(dtype, {shape[1]}, 25)},
                {{"code", encode_code(program)}, {"immediates", encode_immediates(program)}},
                dtype == DType::F32 ? kExact : ulps(1, dtype, 1));
    }
}

}  // namespace
}  // namespace dlcore
