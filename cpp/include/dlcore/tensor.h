// Tensor: dense, row-major. Either concrete (it has bytes) or symbolic (a value of a Graph that is being recorded).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <ostream>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dlcore/dtype.h"
#include "dlcore/shape.h"

namespace dlcore {

class Device;
class Graph;

/// What a shape rule speaks of.
struct TensorSpec {
  DType dtype = DType::F32;
  Shape shape;

  /// Bytes of the elements; throws when the shape is not fully known.
  std::size_t bytes() const;
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

std::ostream& operator<<(std::ostream& out, const TensorSpec& spec);  // float32(32, 10)

/// Aligned bytes, freed with the last owner. They lie on the host or on a device; where else they are asked for they
/// are copied to, once.
class Storage {
 public:
  explicit Storage(std::size_t bytes);         // on the host; throws OutOfMemory
  Storage(std::size_t bytes, Device& device);  // on a device
  /// Of memory that the owner keeps alive.
  Storage(std::byte* host, std::size_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  /// On the host, 64-byte aligned; waits for the device where they lie on one.
  std::byte* data() {
    std::byte* host = host_.load(std::memory_order_acquire);
    return host ? host : download();
  }
  /// On the device, for reading.
  std::byte* on(Device& device);
  /// On the device, for writing: copies elsewhere are dropped.
  std::byte* writable_on(Device& device);
  /// The device that has the bytes, or null: only the host.
  Device* device() const { return device_; }
  std::size_t bytes() const { return bytes_; }
  /// Whether the host memory is someone else's.
  bool borrowed() const { return borrowed_; }

 private:
  friend class Variable;
  bool lies_only_on(const Device& device) const;
  std::byte* download();
  std::byte* to_host();
  void drop_host();
  void drop_device();

  std::atomic<std::byte*> host_{nullptr};
  std::byte* on_device_ = nullptr;
  std::atomic<Device*> device_{nullptr};  // set after on_device_: who sees it needs no lock
  std::size_t bytes_;
  bool borrowed_ = false;
  std::shared_ptr<const void> owner_;
  std::mutex mutex_;  // one thread copies
  // Of a variable's value, under Variable::lock(): the runs of programs that use it, and those that write it.
  int runs_ = 0, writers_ = 0;
};

/// A handle: copies share the same elements (or the same graph value). Two handles are the same tensor when id()
/// agrees. What is asked of an empty handle, and elements of a symbolic tensor, are a Type error.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised elements.
  static Tensor empty(DType dtype, const Shape& shape);
  static Tensor empty(DType dtype, const Shape& shape, Device& device);
  static Tensor zeros(DType dtype, const Shape& shape);
  /// A tensor of rank 0; the number is converted to dtype: to integers towards zero, keeping the lowest bits.
  static Tensor scalar(DType dtype, double number);
  /// Copies the numbers.
  template <class T>
  static Tensor from(std::span<const T> numbers, const Shape& shape);
  /// from(vector, {2, 3})
  template <std::ranges::contiguous_range Numbers>
  static Tensor from(const Numbers& numbers, const Shape& shape) {
    return from(std::span<const std::ranges::range_value_t<Numbers>>(numbers), shape);
  }
  /// from({1.f, 2.f}, {2}), from<double>({1, 2}, {2})
  template <class T>
  static Tensor from(std::initializer_list<T> numbers, const Shape& shape) {
    return from(std::span<const T>(numbers.begin(), numbers.size()), shape);
  }
  /// The value `value` of a graph under recording.
  static Tensor symbolic(std::shared_ptr<Graph> graph, int value, const TensorSpec& spec);
  /// Of row-major memory on the host, 64-byte aligned, that the owner keeps alive and nobody changes.
  static Tensor borrowed(const TensorSpec& spec, std::byte* host, std::shared_ptr<const void> owner);
  /// The same bytes under another shape, or another dtype: as many bytes.
  static Tensor alias(const Tensor& source, const TensorSpec& spec);

  explicit operator bool() const { return impl_ != nullptr; }
  const TensorSpec& spec() const { return impl().spec; }
  DType dtype() const { return impl().spec.dtype; }
  const Shape& shape() const { return impl().spec.shape; }
  bool is_symbolic() const { return impl().graph != nullptr; }

  const std::shared_ptr<Storage>& storage() const {
    if (!impl().storage) throw has_no_elements();
    return impl_->storage;
  }
  /// On the host.
  std::byte* bytes() const { return storage()->data(); }
  /// Throws a Type error unless it has elements and they are of this type: of 16-bit floats the bits, std::uint16_t.
  template <class T>
  T* data() const {
    std::byte* const elements = bytes();
    if (!is_stored_as<T>(dtype())) throw is_of_another_type(sizeof(T));
    return reinterpret_cast<T*>(elements);
  }
  /// A copy with elements of its own.
  Tensor clone() const;
  Tensor clone(Device& device) const;
  /// The one element of a concrete tensor, converted to double.
  double item() const;

  const std::shared_ptr<Graph>& graph() const { return impl().graph; }
  int value() const { return impl().value; }
  const void* id() const { return impl_.get(); }
  /// Whether other handles refer to this tensor.
  bool shared() const { return impl_.use_count() > 1; }

 private:
  struct Impl {
    TensorSpec spec;
    std::shared_ptr<Storage> storage;
    std::shared_ptr<Graph> graph;
    int value = -1;
  };
  const Impl& impl() const {
    if (!impl_) throw is_empty();
    return *impl_;
  }
  static Error is_empty();
  Error has_no_elements() const;
  Error is_of_another_type(std::size_t size) const;
  explicit Tensor(Impl impl) : impl_(std::make_shared<Impl>(std::move(impl))) {}
  std::shared_ptr<Impl> impl_;
};

/// Its dtype, shape and elements, of long axes those at the ends: float32(3,) [1, 2, 3].
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

template <class T>
Tensor Tensor::from(std::span<const T> numbers, const Shape& shape) {
  if (shape.elements() != static_cast<std::int64_t>(numbers.size()))
    throw value_error("Tensor::from: ", numbers.size(), " numbers do not fill the shape ", shape, ".");
  Tensor result = empty(dtype_of<T>(), shape);
  T* elements = result.data<T>();
  for (std::size_t i = 0; i < numbers.size(); ++i) elements[i] = numbers[i];
  return result;
}

/// A persistent tensor that programs read and update in place, on any thread. Tensors read from it keep the value of
/// that time, and runs of programs that of their start, but for what the run of another program writes meanwhile. Its
/// bytes are written through writable() and programs alone: these keep what they have computed from a value, as long as
/// it is the same.
class Variable {
 public:
  Variable(Tensor value, std::string name);
  const std::string& name() const { return name_; }
  const TensorSpec& spec() const { return spec_; }
  Tensor value() const;
  /// Replaces the value; dtype and shape must agree.
  void assign(const Tensor& value);
  /// The value's bytes, for writing: copies first when another tensor shares them.
  std::byte* writable();
  std::byte* writable(Device& device);
  /// Grows whenever the value may have changed: with each assign(), writable(), and begin and end of a run that writes.
  std::uint64_t version() const { return version_; }

  /// A run of a program uses the values of its variables from hold() to release(): they stay where they are, also when
  /// another thread assigns others. Both are called under the lock, which is one for all variables.
  static std::unique_lock<std::mutex> lock();
  Storage& hold(Device& device, bool writes);
  void release(Storage& held, bool writes);

 private:
  bool shared() const;
  void replace(Tensor value);
  Storage& writable_on(Device& device);

  TensorSpec spec_;
  Tensor value_;
  std::string name_;
  std::atomic<std::uint64_t> version_{0};
};

using VariablePtr = std::shared_ptr<Variable>;

}  // namespace dlcore
