#include "kernels/pointwise/pointwise.h"

#include <type_traits>

#include "kernels/float16.simd.h"
#include "kernels/pointwise/math.simd.h"

namespace dlcore::DLCORE_ISA {

extern const PointwiseKernels pointwise_kernels_table;

namespace {

// ---- loops over a tile

/// Before a loop whose iterations are independent though an operand and the result may be the same buffer: GCC then
/// vectorises that case too.
#if defined(__clang__)
#define DLCORE_INDEPENDENT
#else
#define DLCORE_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// Integers compute in the unsigned type of their width: overflow wraps around.
template <class T, bool integer = std::is_integral_v<T>>
struct Wrapping {
  using type = std::make_unsigned_t<T>;
};
template <class T>
struct Wrapping<T, false> {
  using type = T;
};
template <class T>
using wrapping = typename Wrapping<T>::type;
template <class T>
DLCORE_INLINE wrapping<T> wrapped(T x) {
  return static_cast<wrapping<T>>(x);
}

/// Scalar loops, vectorised by the compiler. R is the result type. f(a, ...) or f(a, ..., immediate).
template <class T, class R, class F>
void map1(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  R* out = static_cast<R*>(y);
  const T* x = static_cast<const T*>(a);
  DLCORE_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F{}(x[i]));
}
template <class T, class R, class F>
void map2(void* y, const void* a, const void* b, const void*, std::int64_t n, double) {
  R* out = static_cast<R*>(y);
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b);
  DLCORE_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F{}(p[i], q[i]));
}
template <class T, class F>
void map3(void* y, const void* a, const void* b, const void* c, std::int64_t n, double) {
  T* out = static_cast<T*>(y);
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b), *r = static_cast<const T*>(c);
  DLCORE_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(F{}(p[i], q[i], r[i]));
}
template <class T>
void select_tile(void* y, const void* a, const void* b, const void* c, std::int64_t n, double) {
  T* out = static_cast<T*>(y);
  const std::uint8_t* condition = static_cast<const std::uint8_t*>(a);
  const T *p = static_cast<const T*>(b), *q = static_cast<const T*>(c);
  DLCORE_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) {
    const T yes = p[i], no = q[i];
    out[i] = condition[i] ? yes : no;
  }
}

/// Loops over vectors, for float and double. All of f is inlined: its constants and tables stay in registers.
template <class T, class F>
[[gnu::flatten]] void vmap1(void* y, const void* a, const void*, const void*, std::int64_t n, double immediate) {
  constexpr int lanes = kLanes<T>;
  T* out = static_cast<T*>(y);
  const T* x = static_cast<const T*>(a);
  const vec<T> constant = broadcast(static_cast<T>(immediate));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, F{}(load(x + i), constant));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_partial(out + i, F{}(load_partial(x + i, rest), constant), rest);
}
template <class T, class F>
[[gnu::flatten]] void vmap2(void* y, const void* a, const void* b, const void*, std::int64_t n, double) {
  constexpr int lanes = kLanes<T>;
  T* out = static_cast<T*>(y);
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, F{}(load(p + i), load(q + i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_partial(out + i, F{}(load_partial(p + i, rest), load_partial(q + i, rest)), rest);
}

// ---- scalar functions that have no vector form

template <class T>
DLCORE_INLINE T floor_mod(T a, T b) {
  if constexpr (std::is_same_v<T, float>) {
    const T r = __builtin_fmodf(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else if constexpr (std::is_same_v<T, double>) {
    const T r = __builtin_fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else {
    if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
    const T r = static_cast<T>(a % b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  }
}
/// Integer division by zero gives 0; float division follows IEEE: by an infinity it gives 0, or -1 where signs differ.
template <class T>
DLCORE_INLINE T floor_divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    const T r = floor_mod(a, b);
    if (__builtin_isinf(b)) return r == a ? T{0} : r == b ? T{-1} : r;
    if constexpr (std::is_same_v<T, float>) return __builtin_rintf((a - r) / b);
    return static_cast<T>(__builtin_rint((a - r) / b));
  } else {
    if (b == 0) return 0;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(wrapping<T>(0) - wrapping<T>(a));
    const T q = static_cast<T>(a / b);
    return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(q - 1) : q;
  }
}
/// Negative exponents give what truncation of the exact result gives.
template <class T>
DLCORE_INLINE T integer_power(T a, T b) {
  if (b < 0) return a == 1 ? T{1} : a == static_cast<T>(-1) ? (b % 2 ? a : T{1}) : T{0};
  wrapping<T> result = 1, square = static_cast<wrapping<T>>(a);
  for (auto exponent = static_cast<wrapping<T>>(b); exponent; exponent = static_cast<wrapping<T>>(exponent >> 1)) {
    if (exponent & 1) result = static_cast<wrapping<T>>(std::uint64_t{result} * square);
    square = static_cast<wrapping<T>>(std::uint64_t{square} * square);
  }
  return static_cast<T>(result);
}

/// Whether a shift by b leaves bits of a.
template <class T>
DLCORE_INLINE bool shifts_within(T b) {
  return wrapped(b) < 8 * sizeof(T);
}
template <class T>
DLCORE_INLINE T shift_left(T a, T b) {
  return static_cast<T>(shifts_within(b) ? wrapped(a) << b : 0);
}
template <class T>
DLCORE_INLINE T shift_right(T a, T b) {
  return static_cast<T>(shifts_within(b) ? a >> b : a < 0 ? -1 : 0);
}
/// Euclid's algorithm on absolute values.
template <class T>
DLCORE_INLINE T greatest_divisor(T a, T b) {
  auto x = static_cast<wrapping<T>>(a < 0 ? 0 - wrapped(a) : wrapped(a));
  auto y = static_cast<wrapping<T>>(b < 0 ? 0 - wrapped(b) : wrapped(b));
  while (y != 0) {
    const auto rest = static_cast<wrapping<T>>(x % y);
    x = y;
    y = rest;
  }
  return static_cast<T>(x);
}

// ---- conversions

template <class To, class From>
DLCORE_INLINE To converted(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From low = static_cast<From>(static_cast<To>(std::is_signed_v<To> ? To(1) << (8 * sizeof(To) - 1) : 0));
    constexpr From beyond = (From(1) * (std::uint64_t{1} << (8 * sizeof(To) - 1))) * (std::is_signed_v<To> ? 1 : 2);
    constexpr To highest = static_cast<To>(~static_cast<To>(low));
    return x >= beyond ? highest : x > low ? static_cast<To>(x) : x <= low ? static_cast<To>(low) : To{0};
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void convert_tile(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  To* out = static_cast<To*>(y);
  const From* x = static_cast<const From*>(a);
  DLCORE_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) out[i] = converted<To>(x[i]);
}

void bfloat_from_float(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  std::uint16_t* out = static_cast<std::uint16_t*>(y);
  const float* x = static_cast<const float*>(a);
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = static_cast<std::uint16_t>(bfloat_bits(__builtin_bit_cast(std::uint32_t, x[i])));
}
void float_from_bfloat(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  float* out = static_cast<float*>(y);
  const std::uint16_t* x = static_cast<const std::uint16_t*>(a);
  for (std::int64_t i = 0; i < n; ++i) out[i] = __builtin_bit_cast(float, std::uint32_t{x[i]} << 16);
}

#if defined(__F16C__)
void half_from_float(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  std::uint16_t* out = static_cast<std::uint16_t*>(y);
  const float* x = static_cast<const float*>(a);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), half);
  }
  for (; i < n; ++i) {
    const __m128i half = _mm_cvtps_ph(_mm_set_ss(x[i]), _MM_FROUND_TO_NEAREST_INT);
    out[i] = static_cast<std::uint16_t>(_mm_cvtsi128_si32(half));
  }
}
void float_from_half(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  float* out = static_cast<float*>(y);
  const std::uint16_t* x = static_cast<const std::uint16_t*>(a);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
  for (; i < n; ++i) out[i] = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(x[i])));
}
#else
// Scaling by powers of two turns the exponent bias of one format into the other's; rounding is the float unit's own.
void half_from_float(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  std::uint16_t* out = static_cast<std::uint16_t*>(y);
  const float* x = static_cast<const float*>(a);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x[i]), magnitude = bits & 0x7fffffffu;
    const std::uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;  // a denormal: rounds at 2^-24
    const std::uint32_t denormal = __builtin_bit_cast(std::uint32_t, shifted) - 0x3f000000u;
    const std::uint32_t large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const std::uint32_t half = magnitude >= 0x477ff000u ? large : magnitude < 0x38800000u ? denormal : normal;
    out[i] = static_cast<std::uint16_t>(half | ((bits >> 16) & 0x8000u));
  }
}
void float_from_half(void* y, const void* a, const void*, const void*, std::int64_t n, double) {
  float* out = static_cast<float*>(y);
  const std::uint16_t* x = static_cast<const std::uint16_t*>(a);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t sign = (x[i] & 0x8000u) << 16, magnitude = x[i] & 0x7fffu;
    const float denormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
    const std::uint32_t normal = (magnitude << 13) + (magnitude >= 0x7c00u ? 0x70000000u : 0x38000000u);
    out[i] =
        __builtin_bit_cast(float, (magnitude < 0x400u ? __builtin_bit_cast(std::uint32_t, denormal) : normal) | sign);
  }
}
#endif

// ---- the table

template <class... Ts>
struct Types {};
using Floats = Types<float, double>;
using Integers = Types<std::int32_t, std::int64_t, std::uint8_t, std::int8_t>;
using Numbers = Types<float, double, std::int32_t, std::int64_t, std::uint8_t, std::int8_t>;
using Everything = Types<float, double, std::int32_t, std::int64_t, std::uint8_t, std::int8_t, bool>;

/// The type that a tile of bool is read as: a byte.
template <class T>
using stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

struct Table : PointwiseKernels {
  constexpr TileFn& at(Opcode op, DType dtype) { return tile[static_cast<int>(op)][static_cast<int>(dtype)]; }

  template <class F, class... Ts>
  constexpr void unary(Opcode op, Types<Ts...>, F) {
    ((at(op, dtype_of<Ts>()) = map1<stored<Ts>, stored<Ts>, F>), ...);
  }
  template <class F, class... Ts>
  constexpr void test(Opcode op, Types<Ts...>, F) {
    ((at(op, dtype_of<Ts>()) = map1<stored<Ts>, bool, F>), ...);
  }
  template <class F>
  constexpr void vector_unary(Opcode op, F) {
    at(op, DType::F32) = vmap1<float, F>;
    at(op, DType::F64) = vmap1<double, F>;
  }
  template <class F, class... Ts>
  constexpr void binary(Opcode op, Types<Ts...>, F) {
    ((at(op, dtype_of<Ts>()) = map2<stored<Ts>, stored<Ts>, F>), ...);
  }
  template <class F>
  constexpr void vector_binary(Opcode op, F) {
    at(op, DType::F32) = vmap2<float, F>;
    at(op, DType::F64) = vmap2<double, F>;
  }
  template <class F, class... Ts>
  constexpr void compare(Opcode op, Types<Ts...>, F) {
    ((at(op, dtype_of<Ts>()) = map2<stored<Ts>, bool, F>), ...);
  }
  template <class F, class... Ts>
  constexpr void ternary(Opcode op, Types<Ts...>, F) {
    ((at(op, dtype_of<Ts>()) = map3<stored<Ts>, F>), ...);
  }
  template <class... Ts>
  constexpr void select(Types<Ts...>) {
    ((at(Opcode::Where, dtype_of<Ts>()) = select_tile<stored<Ts>>), ...);
  }
  template <class From, class... To>
  constexpr void convert_from(Types<To...>) {
    ((convert[static_cast<int>(dtype_of<From>())][static_cast<int>(dtype_of<To>())] = convert_tile<stored<From>, To>),
     ...);
  }
  template <class... From>
  constexpr void convert_all(Types<From...>) {
    (convert_from<From>(Everything{}), ...);
  }
};

#define DLCORE_LIBM(op, name)                                                                              \
  table.at(op, DType::F32) = map1<float, float, decltype([](float x) { return __builtin_##name##f(x); })>; \
  table.at(op, DType::F64) = map1<double, double, decltype([](double x) { return __builtin_##name(x); })>

constexpr void fill_unary(Table& table) {
  using enum Opcode;
  table.unary(Neg, Integers{}, [](auto x) { return 0 - wrapped(x); });
  table.vector_unary(Neg, [](auto x, auto) { return -x; });
  table.unary(Abs, Integers{}, [](auto x) { return x < 0 ? 0 - wrapped(x) : wrapped(x); });
  table.vector_unary(Abs, [](auto x, auto) { return vabs(x); });
  table.unary(Sign, Numbers{}, [](auto x) { return x > 0 ? decltype(x)(1) : x < 0 ? decltype(x)(-1) : x; });
  table.unary(Square, Integers{}, [](auto x) { return wrapped(x) * wrapped(x); });
  table.vector_unary(Square, [](auto x, auto) { return x * x; });
  table.vector_unary(Sqrt, [](auto x, auto) { return vsqrt(x); });
  table.vector_unary(Rsqrt, [](auto x, auto) { return 1 / vsqrt(x); });
  table.vector_unary(Reciprocal, [](auto x, auto) { return 1 / x; });
  table.vector_unary(Exp, [](auto x, auto) { return vexp(x); });
  table.vector_unary(Expm1, [](auto x, auto) { return vexpm1(x); });
  table.vector_unary(Log, [](auto x, auto) { return vlog(x); });
  table.vector_unary(Log1p, [](auto x, auto) { return vlog1p(x); });
  table.vector_unary(Log2, [](auto x, auto) { return vlog2(x); });
  table.vector_unary(Log10, [](auto x, auto) { return vlog10(x); });
  table.vector_unary(Sin, [](auto x, auto) { return vsin(x); });
  table.vector_unary(Cos, [](auto x, auto) { return vcos(x); });
  DLCORE_LIBM(Tan, tan);
  DLCORE_LIBM(Asin, asin);
  DLCORE_LIBM(Acos, acos);
  DLCORE_LIBM(Atan, atan);
  DLCORE_LIBM(Sinh, sinh);
  DLCORE_LIBM(Cosh, cosh);
  DLCORE_LIBM(Asinh, asinh);
  DLCORE_LIBM(Acosh, acosh);
  DLCORE_LIBM(Atanh, atanh);
  DLCORE_LIBM(Floor, floor);
  DLCORE_LIBM(Ceil, ceil);
  DLCORE_LIBM(Round, rint);
  DLCORE_LIBM(Trunc, trunc);
  for (Opcode op : {Floor, Ceil, Round, Trunc}) {  // integers are whole already
    table.at(op, DType::I32) = convert_tile<std::int32_t, std::int32_t>;
    table.at(op, DType::I64) = convert_tile<std::int64_t, std::int64_t>;
    table.at(op, DType::U8) = table.at(op, DType::I8) = convert_tile<std::uint8_t, std::uint8_t>;
  }
}

constexpr void fill_activations(Table& table) {
  using enum Opcode;
  table.vector_unary(Tanh, [](auto x, auto) { return vtanh(x); });
  table.vector_unary(Erf, [](auto x, auto) { return verf(x); });
  table.unary(Relu, Integers{}, [](auto x) { return x > 0 ? x : decltype(x)(0); });
  table.vector_unary(Relu, [](auto x, auto) { return vmax(decltype(x){}, x); });
  table.vector_unary(Sigmoid, [](auto x, auto) { return vsigmoid(x); });
  table.vector_unary(Softplus, [](auto x, auto) { return vsoftplus(x); });
  table.vector_unary(Silu, [](auto x, auto) { return vsilu(x); });
  table.vector_unary(Gelu, [](auto x, auto) { return vgelu(x); });
  table.vector_unary(GeluTanh, [](auto x, auto) { return vgelu_tanh(x); });
  table.vector_unary(Elu, [](auto x, auto alpha) { return x > 0 ? x : alpha * vexpm1(x); });
  table.vector_unary(LeakyRelu, [](auto x, auto slope) { return x > 0 ? x : slope * x; });
  table.test(IsNan, Everything{}, [](auto x) { return x != x; });
  table.test(IsInf, Everything{}, [](auto x) { return x - x != 0 && x == x; });
  table.test(IsFinite, Everything{}, [](auto x) { return x - x == 0; });
  table.test(LogicalNot, Everything{}, [](auto x) { return x == 0; });
  table.vector_binary(ReluGrad, [](auto dy, auto y) { return y > 0 ? dy : decltype(y){}; });
  table.vector_binary(SigmoidGrad, [](auto dy, auto y) { return dy * (y * (1 - y)); });
  table.vector_binary(TanhGrad, [](auto dy, auto y) { return dy * (1 - y * y); });
  table.vector_binary(GeluGrad, [](auto dy, auto x) { return dy * vgelu_slope(x); });
  table.vector_binary(GeluTanhGrad, [](auto dy, auto x) { return dy * vgelu_tanh_slope(x); });
}

constexpr void fill_binary(Table& table) {
  using enum Opcode;
  table.binary(Add, Integers{}, [](auto a, auto b) { return wrapped(a) + wrapped(b); });
  table.vector_binary(Add, [](auto a, auto b) { return a + b; });
  table.binary(Sub, Integers{}, [](auto a, auto b) { return wrapped(a) - wrapped(b); });
  table.vector_binary(Sub, [](auto a, auto b) { return a - b; });
  table.binary(Mul, Integers{}, [](auto a, auto b) { return wrapped(a) * wrapped(b); });
  table.vector_binary(Mul, [](auto a, auto b) { return a * b; });
  table.vector_binary(Div, [](auto a, auto b) { return a / b; });
  table.binary(Pow, Integers{}, [](auto a, auto b) { return integer_power(a, b); });
  table.vector_binary(Pow, [](auto a, auto b) { return vpow(a, b); });
  table.at(Atan2, DType::F32) = map2<float, float, decltype([](float a, float b) { return __builtin_atan2f(a, b); })>;
  table.at(Atan2, DType::F64) =
      map2<double, double, decltype([](double a, double b) { return __builtin_atan2(a, b); })>;
  table.binary(Mod, Numbers{}, [](auto a, auto b) { return floor_mod(a, b); });
  table.binary(FloorDivide, Numbers{}, [](auto a, auto b) { return floor_divide(a, b); });
  // NaN in either operand gives NaN.
  table.binary(Minimum, Everything{}, [](auto a, auto b) { return a < b ? a : b; });
  table.vector_binary(Minimum, [](auto a, auto b) { return ((a < b) | (a != a)) ? a : b; });
  table.binary(Maximum, Everything{}, [](auto a, auto b) { return a > b ? a : b; });
  table.vector_binary(Maximum, [](auto a, auto b) { return ((a > b) | (a != a)) ? a : b; });
}

constexpr void fill_bits(Table& table) {
  using enum Opcode;
  table.binary(BitwiseAnd, Integers{}, [](auto a, auto b) { return a & b; });
  table.binary(BitwiseOr, Integers{}, [](auto a, auto b) { return a | b; });
  table.binary(BitwiseXor, Integers{}, [](auto a, auto b) { return a ^ b; });
  table.binary(ShiftLeft, Integers{}, [](auto a, auto b) { return shift_left(a, b); });
  table.binary(ShiftRight, Integers{}, [](auto a, auto b) { return shift_right(a, b); });
  table.binary(Gcd, Integers{}, [](auto a, auto b) { return greatest_divisor(a, b); });
}

constexpr void fill_comparisons(Table& table) {
  using enum Opcode;
  table.compare(Equal, Everything{}, [](auto a, auto b) { return a == b; });
  table.compare(NotEqual, Everything{}, [](auto a, auto b) { return a != b; });
  table.compare(Less, Everything{}, [](auto a, auto b) { return a < b; });
  table.compare(LessEqual, Everything{}, [](auto a, auto b) { return a <= b; });
  table.compare(Greater, Everything{}, [](auto a, auto b) { return a > b; });
  table.compare(GreaterEqual, Everything{}, [](auto a, auto b) { return a >= b; });
  table.compare(LogicalAnd, Types<bool>{}, [](auto a, auto b) { return (a != 0) & (b != 0); });
  table.compare(LogicalOr, Types<bool>{}, [](auto a, auto b) { return (a != 0) | (b != 0); });
  table.compare(LogicalXor, Types<bool>{}, [](auto a, auto b) { return (a != 0) != (b != 0); });
  table.select(Everything{});
  // A NaN in x stays; where low > high the result is high.
  table.ternary(Clip, Numbers{}, [](auto x, auto low, auto high) {
    const auto raised = x < low ? low : x;
    return raised > high ? high : raised;
  });
}

constexpr Table make_table() {
  Table table{};
  fill_unary(table);
  fill_activations(table);
  fill_binary(table);
  fill_bits(table);
  fill_comparisons(table);
  table.convert_all(Everything{});
  table.convert[static_cast<int>(DType::F16)][static_cast<int>(DType::F32)] = float_from_half;
  table.convert[static_cast<int>(DType::F32)][static_cast<int>(DType::F16)] = half_from_float;
  table.convert[static_cast<int>(DType::BF16)][static_cast<int>(DType::F32)] = float_from_bfloat;
  table.convert[static_cast<int>(DType::F32)][static_cast<int>(DType::BF16)] = bfloat_from_float;
  return table;
}

}  // namespace

constexpr PointwiseKernels pointwise_kernels_table = make_table();

}  // namespace dlcore::DLCORE_ISA
