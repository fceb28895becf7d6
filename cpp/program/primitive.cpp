#include "program/primitive.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "dlcore/ops.h"
#include "ops/families.h"
#include "program/device.h"
#include "program/graph.h"
#include "program/nearest.h"

namespace dlcore {

// ---------------------------------------------------------------------------------------------------------- attributes

void Attrs::set(std::string name, Attr value) {
  auto at = std::lower_bound(items_.begin(), items_.end(), name,
                             [](const auto& item, const std::string& key) { return item.first < key; });
  if (at != items_.end() && at->first == name)
    at->second = std::move(value);
  else
    items_.insert(at, {std::move(name), std::move(value)});
}

const Attr* Attrs::find(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return &value;
  return nullptr;
}

namespace {

Error wrong_attribute(std::string_view name, const char* expected) {
  return type_error("attribute '", name, "' should be ", expected, ".");
}

template <class T>
T read_attribute(const Attrs& attrs, std::string_view name, T fallback, const char* expected) {
  const Attr* attr = attrs.find(name);
  if (!attr) return fallback;
  if (const T* value = std::get_if<T>(attr)) return *value;
  throw wrong_attribute(name, expected);
}

}  // namespace

bool Attrs::boolean(std::string_view name, bool fallback) const {
  return read_attribute<bool>(*this, name, fallback, "a boolean");
}

std::int64_t Attrs::integer(std::string_view name, std::int64_t fallback) const {
  return read_attribute<std::int64_t>(*this, name, fallback, "an integer");
}

double Attrs::number(std::string_view name, double fallback) const {
  const Attr* attr = find(name);
  if (!attr) return fallback;
  if (const double* value = std::get_if<double>(attr)) return *value;
  if (const std::int64_t* value = std::get_if<std::int64_t>(attr)) return static_cast<double>(*value);
  throw wrong_attribute(name, "a number");
}

std::string Attrs::text(std::string_view name, std::string fallback) const {
  return read_attribute<std::string>(*this, name, std::move(fallback), "a string");
}

std::vector<std::int64_t> Attrs::integers(std::string_view name, std::vector<std::int64_t> fallback) const {
  return read_attribute<std::vector<std::int64_t>>(*this, name, std::move(fallback), "a list of integers");
}

std::vector<double> Attrs::numbers(std::string_view name, std::vector<double> fallback) const {
  const Attr* attr = find(name);
  if (!attr) return fallback;
  if (const auto* value = std::get_if<std::vector<double>>(attr)) return *value;
  if (const auto* value = std::get_if<std::vector<std::int64_t>>(attr)) return {value->begin(), value->end()};
  throw wrong_attribute(name, "a list of numbers");
}

DType Attrs::dtype(std::string_view name, DType fallback) const {
  const Attr* attr = find(name);
  return attr ? dtype_from_name(text(name, "")) : fallback;
}

// ------------------------------------------------------------------------------------------------------------ registry

namespace {

std::map<std::string, Primitive, std::less<>>& registry() {
  // Never destroyed: models may run until the end, in destructors of static objects too.
  static auto& primitives = *new std::map<std::string, Primitive, std::less<>>;
  return primitives;
}

void register_all() {
  static std::once_flag once;
  std::call_once(once, [] {
    register_pointwise();
    register_reduce();
    register_movement();
    register_padding();
    register_sampling();
    register_filling();
    register_indexing();
    register_resample();
    register_sorting();
    register_random();
    register_matmul();
    register_convolution();
    register_pooling();
    register_pooled_convolution();
    register_recurrent();
    register_norm();
    register_softmax();
    register_linear_algebra();
    register_fourier();
    register_custom_gradient();
    register_communication();
    register_optimizers();
  });
}

}  // namespace

void register_primitive(Primitive primitive) {
  std::string name = primitive.name;
  if (!registry().emplace(name, std::move(primitive)).second)
    throw Error(ErrorKind::Runtime, str("primitive '", name, "' is registered twice."));
}

const Primitive* find_primitive(std::string_view name) {
  register_all();
  auto at = registry().find(name);
  return at == registry().end() ? nullptr : &at->second;
}

const Primitive& primitive(std::string_view name) {
  if (const Primitive* found = find_primitive(name)) return *found;
  const std::string hint = nearest_hint(name, primitive_names());
  throw value_error("There is no primitive '", name, "'", hint.empty() ? "." : hint);
}

std::vector<std::string> primitive_names() {
  register_all();
  std::vector<std::string> names;
  for (const auto& [name, primitive] : registry()) names.push_back(name);
  return names;
}

// --------------------------------------------------------------------------------------------------------------- tapes

struct Tape::Impl {
  std::vector<Record> records;
  std::unordered_set<const void*> tracked;  // ids of watched tensors and of what was computed from them
  std::vector<Tensor> watched;              // keeps the watched tensors' ids alive
};

namespace {

std::vector<Tape*>& tape_stack() {
  thread_local std::vector<Tape*> stack;
  return stack;
}

}  // namespace

struct TapeAccess {
  static void record(Tape& tape, const Primitive& op, std::span<const Tensor> in, std::span<const Tensor> out,
                     const Attrs& attrs) {
    auto& impl = *tape.impl_;
    if (std::none_of(in.begin(), in.end(), [&](const Tensor& t) { return impl.tracked.contains(t.id()); })) return;
    impl.records.push_back({&op, attrs, {in.begin(), in.end()}, {out.begin(), out.end()}});
    if (!op.vjp) return;
    for (const Tensor& t : out) impl.tracked.insert(t.id());
  }
};

Tape::Tape() : impl_(std::make_unique<Impl>()) {}
Tape::~Tape() { stop(); }
void Tape::start() { tape_stack().push_back(this); }
void Tape::stop() { std::erase(tape_stack(), this); }
void Tape::watch(const Tensor& tensor) {
  impl_->watched.push_back(tensor);
  impl_->tracked.insert(tensor.id());
}
std::span<const Record> Tape::records() const { return impl_->records; }

// --------------------------------------------------------------------------------------------------------------- apply

Specs infer_specs(const Primitive& op, std::span<const TensorSpec> in, const Attrs& attrs) {
  try {
    return op.infer(in, attrs);
  } catch (const Error& error) {
    throw Error(error.kind(), op.name + ": " + error.what());
  }
}

namespace {

Specs specs_of(std::span<const Tensor> tensors) {
  Specs specs;
  specs.reserve(tensors.size());
  for (const Tensor& tensor : tensors) specs.push_back(tensor.spec());
  return specs;
}

std::vector<Tensor> run_now(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs) {
  const Specs in = specs_of(inputs);
  const Specs out = infer_specs(op, in, attrs);
  if (op.is_alias) return {Tensor::alias(inputs[0], out[0])};

  Device& device = current_device();
  if (!device.is_host()) expect_kernels(device, std::array{&op});
  std::vector<Tensor> results;
  std::vector<const void*> in_bytes;
  std::vector<void*> out_bytes;
  results.reserve(out.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    in_bytes.push_back(reads_bytes(op, i) ? inputs[i].storage()->on(device) : nullptr);
  for (const TensorSpec& spec : out) {
    results.push_back(Tensor::empty(spec.dtype, spec.shape, device));
    out_bytes.push_back(results.back().storage()->on(device));
  }
  const Kernel kernel = device.plan(op, in, out, attrs);  // of results that there is room for
  std::unique_ptr<Storage> scratch;
  if (kernel.scratch_bytes) scratch = std::make_unique<Storage>(kernel.scratch_bytes, device);
  kernel.run({in_bytes.data(), out_bytes.data(), scratch ? scratch->on(device) : nullptr});
  if (kernel.may_fail) device.synchronize();  // throws what has gone wrong
  return results;
}

}  // namespace

std::vector<Tensor> apply_all(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs) {
  for (const Tensor& input : inputs)
    if (!input) throw value_error(op.name, ": an input is an empty Tensor. Make it with Tensor::from.");
  const auto symbolic =
      std::find_if(inputs.begin(), inputs.end(), [](const Tensor& input) { return input.is_symbolic(); });
  if (symbolic != inputs.end())
    return symbolic->graph()->append(op, inputs, attrs, infer_specs(op, specs_of(inputs), attrs));
  std::vector<Tensor> outputs = run_now(op, inputs, attrs);
  for (Tape* tape : tape_stack()) TapeAccess::record(*tape, op, inputs, outputs, attrs);
  return outputs;
}

std::vector<Tensor> apply_all(std::string_view op, std::span<const Tensor> inputs, const Attrs& attrs) {
  return apply_all(primitive(op), inputs, attrs);
}

Tensor apply(std::string_view op, std::initializer_list<Tensor> inputs, const Attrs& attrs) {
  return apply_all(primitive(op), std::span<const Tensor>(inputs.begin(), inputs.size()), attrs)[0];
}

// ------------------------------------------------------------------------------------------------------------ gradient

namespace {

// Tensors of one graph value may have several handles; a concrete tensor is its handle.
struct TensorKey {
  const void* owner;
  int value;
  friend bool operator==(const TensorKey&, const TensorKey&) = default;
};
struct TensorKeyHash {
  std::size_t operator()(const TensorKey& key) const {
    return std::hash<const void*>{}(key.owner) * 31 + static_cast<std::size_t>(key.value);
  }
};
TensorKey key_of(const Tensor& tensor) {
  return tensor.is_symbolic() ? TensorKey{tensor.graph().get(), tensor.value()} : TensorKey{tensor.id(), -1};
}
using TensorMap = std::unordered_map<TensorKey, Tensor, TensorKeyHash>;
using TensorSet = std::unordered_set<TensorKey, TensorKeyHash>;

/// Second computations of regions, each made when it is first asked for.
class Recomputation {
 public:
  explicit Recomputation(std::span<const Record> records) : records_(records) {}

  /// The record with what its region, computed again, has in place of its inputs and outputs.
  Record of(const Record& record) {
    TensorMap& again = regions_[record.region];
    if (again.empty()) compute(record.region, again);
    Record result{record.op, {}, {}, {}};
    for (const Tensor& tensor : record.in) result.in.push_back(again.at(key_of(tensor)));
    for (const Tensor& tensor : record.out) result.out.push_back(again.at(key_of(tensor)));
    return result;
  }

 private:
  void compute(int region, TensorMap& again) const {
    for (const Record& record : records_) {
      if (record.region != region) continue;
      std::vector<Tensor> in;
      for (const Tensor& tensor : record.in) {
        Tensor& mapped = again[key_of(tensor)];
        if (!mapped) mapped = apply("optimization_barrier", {tensor});  // from outside of the region
        in.push_back(mapped);
      }
      const CallerScope scope(record.caller);
      const std::vector<Tensor> out = apply_all(*record.op, in, record.attrs);
      for (std::size_t i = 0; i < out.size(); ++i) again[key_of(record.out[i])] = out[i];
    }
  }

  std::span<const Record> records_;
  std::unordered_map<int, TensorMap> regions_;
};

}  // namespace

std::vector<Tensor> gradient(std::span<const Record> records, std::span<const Tensor> targets,
                             std::span<const Tensor> dtargets, std::span<const Tensor> sources) {
  // Forward: what depends on the sources.
  TensorSet dependent;
  for (const Tensor& source : sources) dependent.insert(key_of(source));
  for (const Record& record : records) {
    if (!record.op->vjp) continue;
    const bool depends =
        std::any_of(record.in.begin(), record.in.end(), [&](const Tensor& t) { return dependent.contains(key_of(t)); });
    if (!depends) continue;
    for (const Tensor& t : record.out)
      if (is_float(t.dtype())) dependent.insert(key_of(t));
  }

  // Backward: gradients of what the targets depend on.
  TensorMap gradients;
  auto accumulate = [&](const Tensor& tensor, const Tensor& d) {
    Tensor& sum = gradients[key_of(tensor)];
    sum = sum ? sum + d : d;
  };
  for (std::size_t i = 0; i < targets.size(); ++i)
    accumulate(targets[i], i < dtargets.size() && dtargets[i] ? dtargets[i] : ops::ones_like(targets[i]));

  Recomputation recomputation(records);
  TensorSet source_keys;
  for (const Tensor& source : sources) source_keys.insert(key_of(source));
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (!record->op->vjp) continue;
    std::vector<Tensor> dout;
    bool reached = false;
    for (const Tensor& t : record->out) {
      auto at = dependent.contains(key_of(t)) ? gradients.find(key_of(t)) : gradients.end();
      dout.push_back(at == gradients.end() ? Tensor() : at->second);
      reached = reached || dout.back();
      if (at != gradients.end() && !source_keys.contains(at->first)) gradients.erase(at);
    }
    if (!reached) continue;
    const auto wanted = std::make_unique<bool[]>(record->in.size());
    bool any = false;
    for (std::size_t i = 0; i < record->in.size(); ++i)
      any |= wanted[i] = is_float(record->in[i].dtype()) && dependent.contains(key_of(record->in[i]));
    if (!any) continue;
    const CallerScope scope(record->caller);
    Record again;
    if (record->region) again = recomputation.of(*record);
    const Record& known = record->region ? again : *record;
    const std::vector<Tensor> din =
        record->op->vjp({known.in, known.out, record->attrs, dout, {wanted.get(), record->in.size()}});
    for (std::size_t i = 0; i < din.size(); ++i)
      if (din[i] && wanted[i]) accumulate(record->in[i], din[i]);
  }

  std::vector<Tensor> results;
  for (const Tensor& source : sources) {
    auto at = gradients.find(key_of(source));
    results.push_back(at == gradients.end() ? Tensor() : at->second);
  }
  return results;
}

}  // namespace dlcore
