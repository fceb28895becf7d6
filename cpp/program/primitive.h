// Primitive: one op. Shape rule, gradient, CPU kernel. There is one definition for eager, traced and native code.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dlcore/tensor.h"
#include "program/caller.h"

namespace dlcore {

using Attr = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

/// The static arguments of a node, by name, kept sorted. A missing attribute has the default that the reader names.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, Attr>> items) {
    for (const auto& [name, value] : items) set(name, value);
  }
  void set(std::string name, Attr value);
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const Attr* find(std::string_view name) const;

  // Each throws a Type error naming the attribute when it holds another type. Integers are accepted where a number is
  // read.
  bool boolean(std::string_view name, bool fallback) const;
  std::int64_t integer(std::string_view name, std::int64_t fallback) const;
  double number(std::string_view name, double fallback) const;
  std::string text(std::string_view name, std::string fallback) const;
  std::vector<std::int64_t> integers(std::string_view name, std::vector<std::int64_t> fallback) const;
  std::vector<double> numbers(std::string_view name, std::vector<double> fallback) const;
  DType dtype(std::string_view name, DType fallback) const;

  const std::vector<std::pair<std::string, Attr>>& items() const { return items_; }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<std::pair<std::string, Attr>> items_;
};

using Specs = std::vector<TensorSpec>;

/// What a kernel works on while it runs. Buffers do not overlap, but for the in-place pairs that the Kernel declared.
struct Buffers {
  const void* const* in;
  void* const* out;
  void* scratch;  // Kernel::scratch_bytes, 64-byte aligned
  /// The outputs are variables': see Kernel::has_guard.
  bool guarded = false;

  template <class T>
  const T* input(int i) const {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(int i) const {
    return static_cast<T*>(out[i]);
  }
};

/// What one node runs, decided for known shapes: algorithm, partition, sizes. Planned once, run many times.
struct Kernel {
  std::function<void(const Buffers&)> run;
  std::size_t scratch_bytes = 0;
  std::string label{};  // the kernel's name as dumps and profiles show it, e.g. "gemm_f32_14x32_avx512"
  double flops = 0;     // of one run, on the unpadded shape; 0 when the node only moves bytes
  /// Pairs (output, input) whose bytes may be the same buffer.
  std::vector<std::pair<int, int>> in_place{};
  /// Whether run may meet what it can't compute with: labels or indices out of range. Then nothing that the step has
  /// done so far may show. The processor's kernels throw; a device's are found out when the host next waits.
  bool may_fail = false;
  /// Whether run leaves guarded outputs as they are where it comes behind such a failure that the host has yet to see.
  bool has_guard = false;
};

/// Appends the gradient of one node: given what the node got and gave and the gradient of its outputs (an empty Tensor
/// where none flows), returns one gradient per input (an empty Tensor where none flows).
struct VjpContext {
  std::span<const Tensor> in;
  std::span<const Tensor> out;
  const Attrs& attrs;
  std::span<const Tensor> dout;
  /// Whether the gradient of input i is wanted; what is not wanted need not be computed.
  std::span<const bool> wanted;
};

struct Primitive {
  std::string name;
  /// Shape rule. Sizes may be unknown. Checks everything: below it nothing is checked any more.
  std::function<Specs(std::span<const TensorSpec> in, const Attrs& attrs)> infer;
  /// Plans the CPU kernel for known shapes.
  std::function<Kernel(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs)> plan;
  /// Gradient, written with primitives. Null: the op is not differentiable (no gradient flows).
  std::function<std::vector<Tensor>(const VjpContext&)> vjp = nullptr;

  /// Output 0 has the bytes of input 0 under another shape; nothing runs.
  bool is_alias = false;
  /// Inputs of which only the shape is read (bit i for input i): they need no buffer.
  unsigned shape_only_inputs = 0;
  /// Other processes take part: it runs in every run, whether its inputs have changed or not.
  bool meets_processes = false;
  /// A form of weights that only the processor's kernels read, and only its passes ask for: other devices have no
  /// kernel.
  bool processor_only = false;
  /// The boolean attribute (default true) without which the last output is empty: for what only a gradient reads.
  const char* last_output_wanted = nullptr;
};

/// Whether the primitive reads input i's elements, not only its shape.
inline bool reads_bytes(const Primitive& op, std::size_t i) { return i >= 32 || !(op.shape_only_inputs >> i & 1u); }

/// All primitives, by name.
const Primitive& primitive(std::string_view name);  // throws a Value error with the nearest names
const Primitive* find_primitive(std::string_view name);
std::vector<std::string> primitive_names();
/// Adds a primitive; called by the register_* functions of cpp/ops before anything runs.
void register_primitive(Primitive primitive);

/// The shape rule; its errors are prefixed with the primitive's name.
Specs infer_specs(const Primitive& op, std::span<const TensorSpec> in, const Attrs& attrs);

/// Runs or records one node. All inputs concrete: it runs at once. One symbolic: it is recorded in that Graph, the
/// concrete inputs as constants.
std::vector<Tensor> apply_all(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs = {});
std::vector<Tensor> apply_all(std::string_view op, std::span<const Tensor> inputs, const Attrs& attrs = {});
/// The same for primitives of one output.
Tensor apply(std::string_view op, std::initializer_list<Tensor> inputs, const Attrs& attrs = {});

/// What one node did: the trail that gradients follow.
struct Record {
  const Primitive* op;
  Attrs attrs;
  std::vector<Tensor> in, out;
  int region = 0;   // what has one, other than 0, is computed again for the gradients of its region
  Caller caller{};  // of the node, and so of its gradient's nodes
};

/// Gradients of sum(target * dtarget) with respect to `sources`: walks the records backwards and applies each vjp.
/// dtarget empty: ones. A source that the target does not depend on gets an empty Tensor.
std::vector<Tensor> gradient(std::span<const Record> records, std::span<const Tensor> targets,
                             std::span<const Tensor> dtargets, std::span<const Tensor> sources);

/// Records what runs while it is on top of this thread's stack of tapes, as far as it depends on a watched tensor.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  void start();
  void stop();
  void watch(const Tensor& tensor);
  std::span<const Record> records() const;

 private:
  friend struct TapeAccess;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dlcore
