// Elementwise kernels: one function per opcode and element type, run over a tile of consecutive elements.
//   y[i] = f(a[i], b[i], c[i]; immediate)    i < n
// y may be the same buffer as an operand of the same element size; otherwise nothing overlaps. No alignment is needed.
// Unused operands are not read. One thread: program.h cuts tensors into tiles and spreads them over threads.
#pragma once

#include <cstdint>

#include "base/isa.h"
#include "dlcore/dtype.h"

namespace dlcore {

// clang-format off
enum class Opcode : std::uint8_t {
  // y = f(a)
  Neg, Abs, Sign, Sqrt, Rsqrt, Square, Reciprocal, Exp, Expm1, Log, Log1p, Log2, Log10, Sin, Cos, Tan, Asin, Acos, Atan,
  Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, Floor, Ceil, Round, Trunc, Relu, Sigmoid, Softplus, Silu, Gelu, GeluTanh,
  Elu,          // immediate: alpha
  LeakyRelu,    // immediate: negative slope
  IsNan, IsInf, IsFinite, LogicalNot, Cast,
  // y = f(a, b)
  Add, Sub, Mul, Div, Pow, Minimum, Maximum, Mod, FloorDivide, Atan2,
  Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, LogicalAnd, LogicalOr, LogicalXor,
  ReluGrad, SigmoidGrad, TanhGrad,  // a: dy, b: y
  // y = f(a, b, c)
  Where,        // a: condition (bool)
  Clip,         // a: x, b: low, c: high
  // y = f(a, b); saved programs name opcodes by number: later ones are added here
  BitwiseAnd, BitwiseOr, BitwiseXor,
  ShiftLeft, ShiftRight,  // b outside of 0 ... bits - 1 moves every bit out; to the right the sign moves in
  Gcd,                    // not negative, but for the lowest integer, which has no absolute value
  GeluGrad, GeluTanhGrad,  // a: dy, b: x
  Count
};
// clang-format on
inline constexpr int kOpcodes = static_cast<int>(Opcode::Count);
inline constexpr int kDTypes = static_cast<int>(DType::F64) + 1;

using TileFn = void (*)(void* y, const void* a, const void* b, const void* c, std::int64_t n, double immediate);

/// Entries are null where an opcode makes no sense for a type. The 16-bit floats only have conversions from and to F32.
struct PointwiseKernels {
  /// By opcode and operand type; of Where the type of b. Cast is in `convert`.
  TileFn tile[kOpcodes][kDTypes];
  /// By source and destination type. Float to integer truncates and saturates, NaN becomes 0.
  TileFn convert[kDTypes][kDTypes];
};

const PointwiseKernels& pointwise_kernels();

inline TileFn converter(DType from, DType to) {
  return pointwise_kernels().convert[static_cast<int>(from)][static_cast<int>(to)];
}

/// n elements from one type to another, by all threads.
void convert(DType from_dtype, const void* from, DType to_dtype, void* to, std::int64_t n);

}  // namespace dlcore
