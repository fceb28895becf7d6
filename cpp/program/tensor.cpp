#include "dlcore/tensor.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/half.h"
#include "program/device.h"

namespace dlcore {

namespace {

struct DTypeName {
  DType dtype;
  std::string_view name;
};
constexpr std::array kDTypeNames{
    DTypeName{DType::Bool, "bool"},     DTypeName{DType::U8, "uint8"},    DTypeName{DType::I8, "int8"},
    DTypeName{DType::I32, "int32"},     DTypeName{DType::I64, "int64"},   DTypeName{DType::F16, "float16"},
    DTypeName{DType::BF16, "bfloat16"}, DTypeName{DType::F32, "float32"}, DTypeName{DType::F64, "float64"},
};

}  // namespace

std::string_view name_of(DType dtype) {
  for (const DTypeName& entry : kDTypeNames)
    if (entry.dtype == dtype) return entry.name;
  return "unknown";
}

DType dtype_from_name(std::string_view name) {
  for (const DTypeName& entry : kDTypeNames)
    if (entry.name == name) return entry.dtype;
  std::string known;
  for (const DTypeName& entry : kDTypeNames) known += (known.empty() ? "" : ", ") + std::string(entry.name);
  throw type_error("Unknown dtype '", name, "'; expected one of ", known, ".");
}

std::size_t TensorSpec::bytes() const {
  const std::int64_t elements = shape.elements();
  if (elements < 0) throw value_error("The size of ", *this, " is not known yet.");
  // As a signed number, so that rounding it up to an alignment can't overflow.
  std::int64_t bytes;
  if (__builtin_mul_overflow(elements, static_cast<std::int64_t>(size_of(dtype)), &bytes))
    throw Error(ErrorKind::OutOfMemory, str("The bytes of ", *this, " can't be counted in 64 bits."));
  return static_cast<std::size_t>(bytes);
}

std::ostream& operator<<(std::ostream& out, const TensorSpec& spec) { return out << spec.dtype << spec.shape; }

Storage::Storage(std::size_t bytes) : host_(cpu().allocate(bytes)), bytes_(bytes) {}

Storage::Storage(std::size_t bytes, Device& device) : bytes_(bytes) {
  std::byte* data = device.allocate(bytes);
  if (device.is_host()) {
    host_ = data;
  } else {
    on_device_ = data;
    device_ = &device;
  }
}

Storage::Storage(std::byte* host, std::size_t bytes, std::shared_ptr<const void> owner)
    : host_(host), bytes_(bytes), borrowed_(true), owner_(std::move(owner)) {}

Storage::~Storage() {
  drop_host();
  drop_device();
}

void Storage::drop_host() {
  if (!host_) return;
  if (!borrowed_) cpu().free(host_, bytes_);
  borrowed_ = false;
  owner_.reset();
  host_ = nullptr;
}

void Storage::drop_device() {
  if (Device* const device = device_) device->free(on_device_, bytes_);
  device_ = nullptr;
  on_device_ = nullptr;
}

bool Storage::lies_only_on(const Device& device) const {
  return device.is_host() ? !device_ : device_ == &device && !host_;
}

std::byte* Storage::download() {
  const std::lock_guard lock(mutex_);
  return to_host();
}

std::byte* Storage::to_host() {
  if (std::byte* host = host_) return host;
  std::byte* host = cpu().allocate(bytes_);
  try {
    device_.load()->download(host, on_device_, bytes_);
  } catch (...) {
    cpu().free(host, bytes_);
    throw;
  }
  host_.store(host, std::memory_order_release);
  return host;
}

std::byte* Storage::on(Device& device) {
  if (device.is_host()) return data();
  if (device_.load(std::memory_order_acquire) == &device) return on_device_;
  const std::lock_guard lock(mutex_);
  if (device_ == &device) return on_device_;
  const std::byte* host = to_host();
  std::byte* copy = device.allocate(bytes_);
  try {
    device.upload(copy, host, bytes_);
  } catch (...) {
    device.free(copy, bytes_);
    throw;
  }
  drop_device();
  on_device_ = copy;
  device_ = &device;
  return copy;
}

std::byte* Storage::writable_on(Device& device) {
  std::byte* bytes = on(device);
  if (!device.is_host())
    drop_host();
  else if (device_)
    drop_device();
  return bytes;
}

Tensor Tensor::empty(DType dtype, const Shape& shape) {
  TensorSpec spec{dtype, shape};
  const std::size_t bytes = spec.bytes();
  return Tensor(Impl{spec, std::make_shared<Storage>(bytes), nullptr, -1});
}

Tensor Tensor::empty(DType dtype, const Shape& shape, Device& device) {
  TensorSpec spec{dtype, shape};
  const std::size_t bytes = spec.bytes();
  return Tensor(Impl{spec, std::make_shared<Storage>(bytes, device), nullptr, -1});
}

Tensor Tensor::zeros(DType dtype, const Shape& shape) {
  Tensor result = empty(dtype, shape);
  std::memset(result.bytes(), 0, result.spec().bytes());
  return result;
}

namespace {

// Towards zero; beyond 64 bits the nearest, of NaN 0.
std::int64_t to_integer(double number) {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (number >= kBeyond) return std::numeric_limits<std::int64_t>::max();
  if (number < -kBeyond) return std::numeric_limits<std::int64_t>::min();
  return number == number ? static_cast<std::int64_t>(number) : 0;
}

}  // namespace

Tensor Tensor::scalar(DType dtype, double number) {
  Tensor result = empty(dtype, {});
  switch (dtype) {
    case DType::Bool:
      *result.data<bool>() = number != 0;
      break;
    case DType::U8:
      *result.data<std::uint8_t>() = static_cast<std::uint8_t>(to_integer(number));
      break;
    case DType::I8:
      *result.data<std::int8_t>() = static_cast<std::int8_t>(to_integer(number));
      break;
    case DType::I32:
      *result.data<std::int32_t>() = static_cast<std::int32_t>(to_integer(number));
      break;
    case DType::I64:
      *result.data<std::int64_t>() = to_integer(number);
      break;
    case DType::F16:
      *result.data<std::uint16_t>() = float_to_half(static_cast<float>(number));
      break;
    case DType::BF16:
      *result.data<std::uint16_t>() = float_to_bfloat(static_cast<float>(number));
      break;
    case DType::F32:
      *result.data<float>() = static_cast<float>(number);
      break;
    case DType::F64:
      *result.data<double>() = number;
      break;
  }
  return result;
}

Tensor Tensor::symbolic(std::shared_ptr<Graph> graph, int value, const TensorSpec& spec) {
  return Tensor(Impl{spec, nullptr, std::move(graph), value});
}

Tensor Tensor::borrowed(const TensorSpec& spec, std::byte* host, std::shared_ptr<const void> owner) {
  return Tensor(Impl{spec, std::make_shared<Storage>(host, spec.bytes(), std::move(owner)), nullptr, -1});
}

Tensor Tensor::alias(const Tensor& source, const TensorSpec& spec) {
  if (!spec.shape.known() || spec.bytes() != source.spec().bytes())
    throw value_error("alias: expected a shape of the same ", source.spec().bytes(), " bytes; got ", spec, " for ",
                      source.spec(), ".");
  return Tensor(Impl{spec, source.storage(), nullptr, -1});
}

Tensor Tensor::clone() const { return clone(cpu()); }

Tensor Tensor::clone(Device& device) const {
  Tensor copy = empty(dtype(), shape(), device);
  device.copy(copy.storage()->on(device), storage()->on(device), spec().bytes());
  return copy;
}

Error Tensor::is_empty() { return type_error("The Tensor is empty. Make it with Tensor::from."); }

Error Tensor::has_no_elements() const {
  return type_error("The Tensor ", spec(), " stands for a value of a graph. What runs the graph makes its elements.");
}

Error Tensor::is_of_another_type(std::size_t size) const {
  return type_error("Tensor::data: the elements of ", spec(), " were asked for as another type, of ", size,
                    " bytes. Call data<T>() with the type of ", dtype(), ".");
}

namespace {

double number_at(const Tensor& tensor, std::int64_t i) {
  switch (tensor.dtype()) {
    case DType::Bool:
      return tensor.data<bool>()[i];
    case DType::U8:
      return tensor.data<std::uint8_t>()[i];
    case DType::I8:
      return tensor.data<std::int8_t>()[i];
    case DType::I32:
      return tensor.data<std::int32_t>()[i];
    case DType::I64:
      return static_cast<double>(tensor.data<std::int64_t>()[i]);
    case DType::F16:
      return half_to_float(tensor.data<std::uint16_t>()[i]);
    case DType::BF16:
      return bfloat_to_float(tensor.data<std::uint16_t>()[i]);
    case DType::F32:
      return tensor.data<float>()[i];
    case DType::F64:
      return tensor.data<double>()[i];
  }
  return 0;
}

constexpr std::int64_t kPrintedElements = 1000;  // of more, these at each end of an axis:
constexpr std::int64_t kPrintedEnds = 3;

// The part of the tensor that begins with the element `first`, from this axis on.
void print_elements(std::ostream& out, const Tensor& tensor, int axis, std::int64_t first) {
  const Shape& shape = tensor.shape();
  if (axis == shape.rank()) {
    if (tensor.dtype() == DType::I64)  // which a double does not always hold
      out << tensor.data<std::int64_t>()[first];
    else
      out << number_at(tensor, first);
    return;
  }
  const std::int64_t size = shape[axis], part = shape.product(axis + 1, shape.rank());
  const bool all = size <= 2 * kPrintedEnds || shape.elements() <= kPrintedElements;
  const std::string between = axis + 1 == shape.rank() ? ", " : ",\n" + std::string(axis + 1, ' ');
  out << '[';
  for (std::int64_t i = 0; i < size; ++i) {
    if (i > 0) out << between;
    if (!all && i == kPrintedEnds) {
      out << "..." << between;
      i = size - kPrintedEnds;
    }
    print_elements(out, tensor, axis + 1, first + i * part);
  }
  out << ']';
}

}  // namespace

double Tensor::item() const {
  if (shape().elements() != 1) throw value_error("item: expected a tensor of one element; got ", spec(), ".");
  return number_at(*this, 0);
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor) return out << "Tensor()";
  out << tensor.spec();
  if (tensor.is_symbolic()) return out;
  out << (tensor.shape().rank() > 1 ? '\n' : ' ');
  print_elements(out, tensor, 0, 0);
  return out;
}

namespace {

/// Borrowed memory others could change.
Tensor owned(Tensor value) { return value.storage()->borrowed() ? value.clone() : value; }

// Values that are no longer a variable's, but that runs still use. Never destroyed: threads may run until the end.
std::vector<std::shared_ptr<Storage>>& replaced() {
  static auto& storages = *new std::vector<std::shared_ptr<Storage>>;
  return storages;
}

}  // namespace

Variable::Variable(Tensor value, std::string name)
    : spec_(value.spec()), value_(owned(std::move(value))), name_(std::move(name)) {}

std::unique_lock<std::mutex> Variable::lock() {
  static auto& mutex = *new std::mutex;
  return std::unique_lock(mutex);
}

Tensor Variable::value() const {
  const auto guard = lock();
  if (value_.storage()->writers_ == 0) return value_;
  Device* const device = value_.storage()->device();
  return value_.clone(device ? *device : cpu());
}

void Variable::assign(const Tensor& value) {
  if (!(value.spec() == spec_))
    throw value_error("Variable '", name_, "' is ", spec_, "; a value of ", value.spec(), " can't be assigned to it.");
  const auto guard = lock();
  Storage& now = *value_.storage();
  // The value stays where programs know it.
  Device* const device = now.device();
  if (shared() || now.runs_ > 0)
    replace(owned(value));
  else if (!device)
    std::memcpy(value_.bytes(), value.bytes(), spec_.bytes());
  else if (value.storage()->device() == device)
    device->copy(now.writable_on(*device), value.storage()->on(*device), spec_.bytes());
  else
    device->upload(now.writable_on(*device), value.bytes(), spec_.bytes());
  ++version_;
}

bool Variable::shared() const {
  return value_.storage().use_count() > 1 || value_.shared() || value_.storage()->borrowed();
}

void Variable::replace(Tensor value) {
  if (value_.storage()->runs_ > 0) replaced().push_back(value_.storage());
  value_ = std::move(value);
}

std::byte* Variable::writable() { return writable(cpu()); }

std::byte* Variable::writable(Device& device) {
  const auto guard = lock();
  return writable_on(device).on(device);
}

Storage& Variable::writable_on(Device& device) {
  ++version_;
  const Storage& now = *value_.storage();
  if (shared() || (now.runs_ > 0 && !now.lies_only_on(device))) replace(value_.clone(device));
  value_.storage()->writable_on(device);
  return *value_.storage();
}

Storage& Variable::hold(Device& device, bool writes) {
  Storage& held = writes ? writable_on(device) : *value_.storage();
  held.on(device);
  ++held.runs_;
  held.writers_ += writes;
  return held;
}

void Variable::release(Storage& held, bool writes) {
  if (writes) ++version_;  // also for programs that have read it meanwhile
  held.writers_ -= writes;
  if (--held.runs_ == 0 && !replaced().empty())
    std::erase_if(replaced(), [](const auto& storage) { return storage->runs_ == 0; });
}

}  // namespace dlcore
