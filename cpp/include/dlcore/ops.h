// The primitives as C++ functions on tensors: concrete tensors are computed at once, symbolic ones are recorded.
// Gradients (vjp) in cpp/ops are written with these. docs/primitives.md lists every primitive with its attributes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dlcore/tensor.h"

namespace dlcore::ops {

using Axes = std::vector<std::int64_t>;

// Elementwise with NumPy broadcasting; both operands have the same dtype.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a);
// A number takes the tensor's dtype.
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);

Tensor unary(const char* op, const Tensor& x);  // "exp", "log", "tanh", ...
Tensor binary(const char* op, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor cast(const Tensor& x, DType dtype);

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims = false);
Tensor mean(const Tensor& x, const Axes& axes, bool keepdims = false);
/// x summed over the axes along which it was broadcast from the shape of `like` (the inverse of broadcast_like).
Tensor sum_like(const Tensor& x, const Tensor& like);
Tensor broadcast_like(const Tensor& x, const Tensor& like);
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape_like(const Tensor& x, const Tensor& like);
Tensor transpose(const Tensor& x, const Axes& permutation);
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
/// A constant of x's dtype and rank 0.
Tensor scalar_like(const Tensor& x, double number);

}  // namespace dlcore::ops

namespace dlcore {

// Found wherever there are tensors.
using ops::operator+, ops::operator-, ops::operator*, ops::operator/;

}  // namespace dlcore
