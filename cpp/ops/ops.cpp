#include "dlcore/ops.h"

#include "program/primitive.h"

namespace dlcore::ops {

Tensor scalar_like(const Tensor& x, double number) { return Tensor::scalar(x.dtype(), number); }

Tensor unary(const char* op, const Tensor& x) { return apply(op, {x}); }
Tensor binary(const char* op, const Tensor& a, const Tensor& b) { return apply(op, {a, b}); }

Tensor operator+(const Tensor& a, const Tensor& b) { return binary("add", a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return binary("sub", a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return binary("mul", a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return binary("div", a, b); }
Tensor operator-(const Tensor& a) { return unary("neg", a); }
Tensor operator+(const Tensor& a, double b) { return a + scalar_like(a, b); }
Tensor operator-(const Tensor& a, double b) { return a - scalar_like(a, b); }
Tensor operator*(const Tensor& a, double b) { return a * scalar_like(a, b); }
Tensor operator/(const Tensor& a, double b) { return a / scalar_like(a, b); }
Tensor operator+(double a, const Tensor& b) { return scalar_like(b, a) + b; }
Tensor operator-(double a, const Tensor& b) { return scalar_like(b, a) - b; }
Tensor operator*(double a, const Tensor& b) { return scalar_like(b, a) * b; }
Tensor operator/(double a, const Tensor& b) { return scalar_like(b, a) / b; }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) { return apply("where", {condition, a, b}); }
Tensor cast(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : apply("cast", {x}, {{"dtype", std::string(name_of(dtype))}});
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  return apply("reduce_sum", {x}, {{"axes", axes}, {"keepdims", keepdims}});
}
Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  return apply("reduce_mean", {x}, {{"axes", axes}, {"keepdims", keepdims}});
}
Tensor sum_like(const Tensor& x, const Tensor& like) {
  return x.shape().known() && x.shape() == like.shape() ? x : apply("sum_like", {x, like});
}
Tensor broadcast_like(const Tensor& x, const Tensor& like) {
  return x.shape().known() && x.shape() == like.shape() ? x : apply("broadcast_like", {x, like});
}
Tensor reshape(const Tensor& x, const Shape& shape) {
  return apply("reshape", {x}, {{"shape", std::vector<std::int64_t>(shape.begin(), shape.end())}});
}
Tensor reshape_like(const Tensor& x, const Tensor& like) { return apply("reshape_like", {x, like}); }
Tensor transpose(const Tensor& x, const Axes& permutation) {
  return apply("transpose", {x}, {{"permutation", permutation}});
}
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return apply("matmul", {a, b}, {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
}
Tensor zeros_like(const Tensor& x) {
  return apply("full_like", {x}, {{"value", 0.0}, {"dtype", std::string(name_of(x.dtype()))}});
}
Tensor ones_like(const Tensor& x) {
  return apply("full_like", {x}, {{"value", 1.0}, {"dtype", std::string(name_of(x.dtype()))}});
}

}  // namespace dlcore::ops
