// DLPack: tensors from and to other libraries, sharing the memory. The structures are those of the standard's version 1
// (dmlc.github.io/dlpack/latest/c_api.html).
#include <cstdint>
#include <memory>
#include <vector>

#include "bindings/bindings.h"

namespace dlcore::python {

namespace {

enum DeviceType : std::int32_t { kCpu = 1, kCudaHost = 3 };
enum DTypeCode : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBool = 6 };

struct DlTensor {
  void* data;
  std::int32_t device_type;
  std::int32_t device_id;
  std::int32_t ndim;
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: row-major
  std::uint64_t byte_offset;
};

struct Managed {
  DlTensor tensor;
  void* context;
  void (*deleter)(Managed*);
};

struct ManagedVersioned {
  std::uint32_t major;
  std::uint32_t minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  DlTensor tensor;
};

struct Code {
  DType dtype;
  std::uint8_t code;
  std::uint8_t bits;
};
constexpr Code kCodes[] = {{DType::Bool, kBool, 8},    {DType::U8, kUInt, 8},    {DType::I8, kInt, 8},
                           {DType::I32, kInt, 32},     {DType::I64, kInt, 64},   {DType::F16, kFloat, 16},
                           {DType::BF16, kBfloat, 16}, {DType::F32, kFloat, 32}, {DType::F64, kFloat, 64}};

constexpr char kName[] = "dltensor";
constexpr char kUsedName[] = "used_dltensor";
constexpr char kVersionedName[] = "dltensor_versioned";
constexpr char kUsedVersionedName[] = "used_dltensor_versioned";

/// What an exported capsule keeps alive.
struct Exported {
  Managed managed;
  Tensor tensor;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

/// A capsule of the tensor's memory on the host. Its variable, if any, copies before it writes, so the values stay.
py::capsule to_dlpack(const Tensor& tensor) {
  if (tensor.is_symbolic()) throw_not_traceable(str("A symbolic ", tensor.spec(), " has no elements to share."));
  auto exported = std::make_unique<Exported>();
  exported->tensor = tensor;
  exported->shape.assign(tensor.shape().begin(), tensor.shape().end());
  exported->strides.resize(exported->shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = exported->shape.size(); axis-- > 0; stride *= exported->shape[axis])
    exported->strides[axis] = stride;
  DlTensor& view = exported->managed.tensor;
  {
    const py::gil_scoped_release release;  // while a device finishes
    view.data = tensor.bytes();
  }
  view.device_type = kCpu;
  view.device_id = 0;
  view.ndim = static_cast<std::int32_t>(exported->shape.size());
  for (const Code& code : kCodes)
    if (code.dtype == tensor.dtype()) view.code = code.code, view.bits = code.bits;
  view.lanes = 1;
  view.shape = exported->shape.data();
  view.strides = exported->strides.data();
  view.byte_offset = 0;
  exported->managed.context = exported.get();
  exported->managed.deleter = [](Managed* managed) { delete static_cast<Exported*>(managed->context); };
  return py::capsule(&exported.release()->managed, kName, [](PyObject* capsule) {
    // Whoever took the tensor has renamed the capsule.
    if (!PyCapsule_IsValid(capsule, kName)) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName));
    managed->deleter(managed);
  });
}

/// Takes what a capsule holds: its tensor, and an owner that frees it.
template <class M>
std::pair<DlTensor*, std::shared_ptr<const void>> taken(PyObject* capsule, const char* name, const char* used_name) {
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  PyCapsule_SetName(capsule, used_name);
  std::shared_ptr<const void> owner(managed, [](M* held) {
    const py::gil_scoped_acquire gil;  // the owner may be a Python object
    if (held->deleter) held->deleter(held);
  });
  return {&managed->tensor, std::move(owner)};
}

DType dtype_of(const DlTensor& view) {
  for (const Code& code : kCodes)
    if (code.code == view.code && code.bits == view.bits && view.lanes == 1) return code.dtype;
  throw type_error("A DLPack tensor of type code ", int{view.code}, " with ", int{view.bits}, " bits and ", view.lanes,
                   " lanes can't become a tensor; expected bool, uint8, int8, int32, int64, float16, bfloat16, float32 "
                   "or float64. Convert it first.");
}

bool is_row_major(const DlTensor& view) {
  if (!view.strides) return true;
  std::int64_t stride = 1;
  for (int axis = view.ndim; axis-- > 0; stride *= view.shape[axis])
    if (view.shape[axis] > 1 && view.strides[axis] != stride) return false;
  return true;
}

/// The tensor of a capsule: its memory itself where it is row-major and 64-byte aligned, else a copy.
Tensor from_dlpack(const py::capsule& capsule) {
  const bool is_versioned = PyCapsule_IsValid(capsule.ptr(), kVersionedName);
  if (!is_versioned && !PyCapsule_IsValid(capsule.ptr(), kName))
    throw type_error("Expected the capsule that an object's __dlpack__() returns, which nobody has taken yet.");
  const auto [view, owner] = is_versioned ? taken<ManagedVersioned>(capsule.ptr(), kVersionedName, kUsedVersionedName)
                                          : taken<Managed>(capsule.ptr(), kName, kUsedName);
  if (view->device_type != kCpu && view->device_type != kCudaHost)
    throw value_error(
        "A DLPack tensor on the device (", view->device_type, ", ", view->device_id,
        ") can't become a tensor; expected one in the host's memory, (1, 0). Copy it there first, such as "
        "with .cpu().");
  const DType dtype = dtype_of(*view);
  Shape shape;
  for (int axis = 0; axis < view->ndim; ++axis) shape.push_back(view->shape[axis]);
  const TensorSpec spec{dtype, shape};
  std::byte* data = static_cast<std::byte*>(view->data) + view->byte_offset;
  if (shape.elements() && is_row_major(*view) && reinterpret_cast<std::uintptr_t>(data) % 64 == 0)
    return Tensor::borrowed(spec, data, owner);
  std::vector<py::ssize_t> strides;
  if (view->strides)
    for (int axis = 0; axis < view->ndim; ++axis)
      strides.push_back(view->strides[axis] * static_cast<py::ssize_t>(size_of(dtype)));
  const std::vector<py::ssize_t> sizes(shape.begin(), shape.end());
  const py::capsule base(new std::shared_ptr<const void>(owner),
                         [](void* held) { delete static_cast<std::shared_ptr<const void>*>(held); });
  return tensor_of(py::array(numpy_dtype(dtype), sizes, strides, data, base));
}

}  // namespace

void init_dlpack(py::module_& module) {
  module.def("to_dlpack", &to_dlpack, py::arg("tensor"),
             "A DLPack capsule of the tensor's memory on the host, which it keeps alive.");
  module.def("from_dlpack", &from_dlpack, py::arg("capsule"),
             "A tensor of the capsule's memory, or of a copy where that is not row-major and 64-byte aligned.");
}

}  // namespace dlcore::python
