#include "cuda/ops/pointwise_source.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/jit.h"

namespace dlcore::cuda {

namespace {

/// How elements lie in memory, and the type that registers compute in.
const char* stored_type(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return "bool";
    case DType::U8:
      return "unsigned char";
    case DType::I8:
      return "signed char";
    case DType::I32:
      return "int";
    case DType::I64:
      return "long long";
    case DType::F16:
      return "half16";
    case DType::BF16:
      return "bfloat16";
    case DType::F32:
      return "float";
    case DType::F64:
      return "double";
  }
  return "float";
}
const char* register_type(DType dtype) {
  return dtype == DType::F16 || dtype == DType::BF16 ? "float" : stored_type(dtype);
}

/// A number as C++ reads it, exactly.
std::string literal(double x) {
  if (std::isnan(x)) return "(0.0/0.0)";
  if (std::isinf(x)) return x > 0 ? "(1.0/0.0)" : "(-1.0/0.0)";
  char text[64];
  std::snprintf(text, sizeof text, "%a", x);
  return text;
}

/// The result's axes, neighbours merged where every input has both or is broadcast along both; and the stride of each
/// input along them, in elements, 0 where it is broadcast. Outermost first.
struct Layout {
  std::vector<std::int64_t> sizes;
  std::vector<std::vector<std::int64_t>> strides;  // [axis][input]
};

Layout layout_of(std::span<const TensorSpec> inputs, const Shape& shape) {
  Layout layout;
  std::vector<std::int64_t> step(inputs.size(), 1);
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    std::vector<std::int64_t> stride(inputs.size(), 0);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int own = axis - shape.rank() + inputs[i].shape.rank();
      if (own < 0 || inputs[i].shape[own] == 1) continue;
      stride[i] = step[i];
      step[i] *= shape[axis];
    }
    bool merges = !layout.sizes.empty();
    for (std::size_t i = 0; merges && i < inputs.size(); ++i)
      merges = stride[i] == layout.strides.front()[i] * layout.sizes.front();
    if (merges) {
      layout.sizes.front() *= shape[axis];
    } else {
      layout.sizes.insert(layout.sizes.begin(), shape[axis]);
      layout.strides.insert(layout.strides.begin(), stride);
    }
  }
  return layout;
}

constexpr const char* kPrelude = R"(
struct half16 { unsigned short bits; };
struct bfloat16 { unsigned short bits; };
template <class T, int N> struct alignas(sizeof(T) * N) Pack { T v[N]; };
template <class T> __device__ inline T widened(T x) { return x; }
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
__device__ inline float widened(half16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
__device__ inline float widened(bfloat16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ inline void put(half16& to, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
__device__ inline void put(bfloat16& to, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
#else
inline float widened(half16 x) { return half_to_float(x.bits); }
inline float widened(bfloat16 x) { return bfloat_to_float(x.bits); }
inline void put(half16& to, float x) { to.bits = float_to_half(x); }
inline void put(bfloat16& to, float x) { to.bits = float_to_bfloat(x); }
#endif
template <class T> __device__ inline void put(T& to, T x) { to = x; }
using namespace dlcore_math;
)";

class Writer {
 public:
  Writer(const PointwiseProgram& program, std::span<const TensorSpec> inputs, const Shape& shape)
      : program_(program), inputs_(inputs), layout_(layout_of(inputs, shape)) {
    for (const TensorSpec& spec : inputs) registers_.push_back(spec.dtype);
    for (const Instruction& instruction : program.code) registers_.push_back(instruction.result());
    std::size_t bytes = 1;
    for (const TensorSpec& spec : inputs) bytes = std::max(bytes, size_of(spec.dtype));
    for (int output : program.outputs) bytes = std::max(bytes, size_of(registers_[output]));
    width_ = static_cast<int>(16 / bytes);
    // With many pointers the registers hold few elements of each.
    if (inputs.size() + program.outputs.size() > 8) width_ = std::min(width_, 2);
    const std::int64_t inner = layout_.sizes.empty() ? 1 : layout_.sizes.back();
    rows_ = layout_.sizes.size() > 1;
    while (rows_ && inner % width_ != 0) width_ /= 2;  // the elements of a thread lie in one row of the innermost axis
    index_ = shape.elements() < (std::int64_t{1} << 31) - 4096 ? "unsigned" : "long long";
  }

  PointwiseSource write() {
    std::string text = body();
    text += parameters();
    text += str("  const ", index_, " first = (", index_, ")blockIdx.x * blockDim.x + threadIdx.x;\n");
    text += str("  const ", index_, " e = first * ", width_, ";\n  if (e >= n || (guard && *guard != 0)) return;\n");
    if (rows_) text += coordinates();
    // All elements at once, or what is left at the end one by one.
    text += str("  if (e + ", width_, " <= n) {\n", loads(), calls(width_), stores(), "  } else {\n");
    text += str("    for (", index_, " at = e; at < n; ++at) {\n", tail(), "    }\n  }\n}\n");
    const std::string name = str("pointwise_", std::hex, std::hash<std::string>{}(text));
    const std::string signature = str("extern \"C\" __global__ void __launch_bounds__(256) ", name);
    std::string whole = str(kPointwiseMath, kPrelude, "namespace ", name, "_ {\n", text.substr(0, body_end_), "}\n",
                            signature, text.substr(body_end_));
    return {
        name,
        whole,
        width_,
    };
  }

 private:
  bool is_scalar(std::size_t i) const {
    return std::all_of(layout_.strides.begin(), layout_.strides.end(), [&](const auto& s) { return s[i] == 0; });
  }
  /// Whether the elements of a thread lie side by side in input i; otherwise they are one and the same.
  bool is_wide(std::size_t i) const { return !layout_.strides.empty() && layout_.strides.back()[i] != 0; }

  std::string call(const Instruction& instruction) const {
    const OpcodeInfo& info = info_of(instruction.op);
    std::string text = str("op_", info.primitive, is_approximate(instruction.op) ? "_tanh" : "");
    const char* type = register_type(instruction.type);
    if (instruction.op == Opcode::Cast)
      text +=
          str("<", register_type(instruction.cast_to), ", ", register_type(registers_[instruction.operands[0]]), ">");
    else
      text += str("<", type, ">");
    for (int k = 0; k < info.operands; ++k) text += str(k ? ", r" : "(r", instruction.operands[k]);
    if (instruction.op == Opcode::Elu || instruction.op == Opcode::LeakyRelu)
      text += str(", (", type, ")", literal(instruction.immediate));
    return text + ")";
  }

  /// The chain for one element.
  std::string body() {
    std::string text = "__device__ inline void element(";
    for (std::size_t i = 0; i < inputs_.size(); ++i) text += str(i ? ", " : "", stored_type(inputs_[i].dtype), " i", i);
    for (std::size_t j = 0; j < program_.outputs.size(); ++j)
      text += str(", ", stored_type(registers_[program_.outputs[j]]), "& o", j);
    text += ") {\n";
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      text += str("  const ", register_type(inputs_[i].dtype), " r", i, " = widened(i", i, ");\n");
    for (std::size_t k = 0; k < program_.code.size(); ++k) {
      const Instruction& instruction = program_.code[k];
      text += str("  const ", register_type(instruction.result()), " r", inputs_.size() + k, " = ", call(instruction),
                  ";\n");
    }
    for (std::size_t j = 0; j < program_.outputs.size(); ++j)
      text += str("  put(o", j, ", r", program_.outputs[j], ");\n");
    text += "}\n";
    body_end_ = text.size();
    return text;
  }

  std::string parameters() const {
    std::string text = "(";
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      text += str("const ", stored_type(inputs_[i].dtype), "* p", i, ", ");
    for (std::size_t j = 0; j < program_.outputs.size(); ++j)
      text += str(stored_type(registers_[program_.outputs[j]]), "* q", j, ", ");
    return text + "long long n, const int* guard) {\n";
  }

  /// c<axis>: where the thread's first element lies; a<i>: its place in input i.
  std::string coordinates() const {
    std::string text = str("  ", index_, " rest = e;\n");
    const int rank = static_cast<int>(layout_.sizes.size());
    for (int axis = rank - 1; axis > 0; --axis)
      text += str("  const ", index_, " c", axis, " = rest % ", layout_.sizes[axis], "u; rest /= ", layout_.sizes[axis],
                  "u;\n");
    text += str("  const ", index_, " c0 = rest;\n");
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      text += str("  const ", index_, " a", i, " = 0");
      for (int axis = 0; axis < rank; ++axis)
        if (layout_.strides[axis][i]) text += str(" + c", axis, " * ", layout_.strides[axis][i]);
      text += ";\n";
    }
    return text;
  }

  std::string place(std::size_t i) const {
    if (rows_) return str("a", i);
    return is_scalar(i) ? "0" : "e";
  }

  std::string loads() const {
    std::string text;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const char* type = stored_type(inputs_[i].dtype);
      if (is_wide(i))
        text += str("    const Pack<", type, ", ", width_, "> x", i, " = *(const Pack<", type, ", ", width_, ">*)(p", i,
                    " + ", place(i), ");\n");
      else
        text += str("    const ", type, " x", i, " = p", i, "[", place(i), "];\n");
    }
    for (std::size_t j = 0; j < program_.outputs.size(); ++j)
      text += str("    Pack<", stored_type(registers_[program_.outputs[j]]), ", ", width_, "> y", j, ";\n");
    return text;
  }

  std::string calls(int width) const {
    std::string text;
    for (int k = 0; k < width; ++k) {
      text += "    NAMESPACE::element(";
      for (std::size_t i = 0; i < inputs_.size(); ++i)
        text += str(i ? ", x" : "x", i, is_wide(i) ? str(".v[", k, "]") : "");
      for (std::size_t j = 0; j < program_.outputs.size(); ++j) text += str(", y", j, ".v[", k, "]");
      text += ");\n";
    }
    return text;
  }

  std::string stores() const {
    std::string text;
    for (std::size_t j = 0; j < program_.outputs.size(); ++j)
      text += str("    *(Pack<", stored_type(registers_[program_.outputs[j]]), ", ", width_, ">*)(q", j, " + e) = y", j,
                  ";\n");
    return text;
  }

  std::string tail() const {
    std::string text = "      NAMESPACE::element(";
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const std::string at = !is_wide(i) ? place(i) : rows_ ? str("a", i, " + (at - e)") : "at";
      text += str(i ? ", p" : "p", i, "[", at, "]");
    }
    for (std::size_t j = 0; j < program_.outputs.size(); ++j) text += str(", q", j, "[at]");
    return text + ");\n";
  }

  const PointwiseProgram& program_;
  std::span<const TensorSpec> inputs_;
  Layout layout_;
  std::vector<DType> registers_;
  int width_;
  bool rows_;  // more than one merged axis
  const char* index_;
  std::size_t body_end_ = 0;
};

}  // namespace

PointwiseSource pointwise_source(const PointwiseProgram& program, std::span<const TensorSpec> inputs,
                                 const Shape& shape) {
  PointwiseSource source = Writer(program, inputs, shape).write();
  const std::string scope = source.name + "_";
  for (std::size_t at; (at = source.text.find("NAMESPACE")) != std::string::npos;)
    source.text.replace(at, std::string("NAMESPACE").size(), scope);
  return source;
}

}  // namespace dlcore::cuda
