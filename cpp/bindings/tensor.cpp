#include "dlcore/tensor.h"

#include <cstring>

#include "bindings/bindings.h"
#include "program/feed.h"
#include "program/freed_buffers.h"
#include "program/graph.h"

namespace dlcore::python {

py::tuple tuple_of(const Shape& shape) {
  py::tuple sizes(shape.rank());
  for (int axis = 0; axis < shape.rank(); ++axis)
    sizes[axis] = shape[axis] == Shape::kUnknown ? py::object(py::none()) : py::object(py::int_(shape[axis]));
  return sizes;
}

Shape shape_of(const py::handle& sizes) {
  Shape shape;
  for (const py::handle& size : sizes) shape.push_back(size.is_none() ? Shape::kUnknown : size.cast<std::int64_t>());
  return shape;
}

DType dtype_of_array(const py::array& array) {
  const py::dtype dtype = array.dtype();
  const char kind = dtype.kind();
  const auto size = dtype.itemsize();
  if (kind == 'f' && size == 4) return DType::F32;
  if (kind == 'f' && size == 8) return DType::F64;
  if (kind == 'f' && size == 2) return DType::F16;
  if (kind == 'i' && size == 8) return DType::I64;
  if (kind == 'i' && size == 4) return DType::I32;
  if (kind == 'i' && size == 1) return DType::I8;
  if (kind == 'u' && size == 1) return DType::U8;
  if (kind == 'b') return DType::Bool;
  const std::string name = py::str(dtype);
  if (name == "bfloat16") return DType::BF16;
  throw type_error("An array of dtype ", name,
                   " can't become a tensor; expected bool, uint8, int8, int32, int64, float16, bfloat16, float32 or "
                   "float64. Convert it with .astype() first.");
}

py::dtype numpy_dtype(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return py::dtype::of<bool>();
    case DType::U8:
      return py::dtype::of<std::uint8_t>();
    case DType::I8:
      return py::dtype::of<std::int8_t>();
    case DType::I32:
      return py::dtype::of<std::int32_t>();
    case DType::I64:
      return py::dtype::of<std::int64_t>();
    case DType::F32:
      return py::dtype::of<float>();
    case DType::F64:
      return py::dtype::of<double>();
    case DType::F16:
      return py::dtype("float16");
    case DType::BF16:
      break;
  }
  return py::dtype::from_args(py::module_::import("ml_dtypes").attr("bfloat16"));
}

namespace {

// Of the tensor's elements, which it keeps alive.
py::array view_of(const Tensor& tensor, const py::object& owner) {
  const std::vector<py::ssize_t> shape(tensor.shape().begin(), tensor.shape().end());
  return py::array(numpy_dtype(tensor.dtype()), shape, tensor.bytes(), owner);
}

}  // namespace

// Large ones are of a tensor's memory, which is used again once they are gone; NumPy's comes fresh from the system.
// Others go past py::array's constructor, which makes copies of the shape and of strides that NumPy can find by itself.
py::array empty_array(const TensorSpec& spec) {
  if (spec.bytes() >= kLargeBuffer) {
    const Tensor memory = Tensor::empty(spec.dtype, spec.shape);
    return view_of(memory, py::cast(memory));
  }
  const auto& numpy = py::detail::npy_api::get();
  const py::object array = py::reinterpret_steal<py::object>(
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, numpy_dtype(spec.dtype).release().ptr(), spec.shape.rank(),
                                  spec.shape.begin(), nullptr, nullptr, 0, nullptr));
  if (!array) throw py::error_already_set();
  return py::reinterpret_borrow<py::array>(array);
}

// The elements on the host.
std::byte* elements_of(const Tensor& tensor) {
  if (tensor.is_symbolic())
    throw_not_traceable(
        str("A symbolic ", tensor.spec(),
            " has no elements while a function is traced. Use dlcore.ops instead of NumPy or another framework "
            "inside call() and train_step(), or run eagerly with compile(..., run_eagerly=True)."));
  if (tensor.storage()->device()) {
    const py::gil_scoped_release release;  // while the device finishes
    tensor.bytes();
  }
  return tensor.bytes();
}

py::array array_of(const Tensor& tensor) {
  const std::byte* elements = elements_of(tensor);
  py::array array = empty_array(tensor.spec());
  std::memcpy(array.mutable_data(), elements, tensor.spec().bytes());
  return array;
}

// Only to be read. Its variable, if any, copies before it writes, so the values stay.
py::array shared_array_of(const py::object& object) {
  const Tensor& tensor = object.cast<const Tensor&>();
  elements_of(tensor);
  py::array array = view_of(tensor, object);
  py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return array;
}

Tensor tensor_of(const py::array& array, std::optional<DType> dtype) {
  if (const char order = array.dtype().byteorder(); order == '<' || order == '>')  // not the processor's, which is '='
    return tensor_of(array.attr("astype")(array.dtype().attr("newbyteorder")("=")), dtype);
  const DType from = dtype_of_array(array);
  const py::array contiguous = py::array::ensure(array, py::array::c_style);
  Shape shape;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) shape.push_back(array.shape(axis));
  Tensor tensor = Tensor::empty(dtype.value_or(from), shape);
  const Rows all{static_cast<std::byte*>(const_cast<void*>(contiguous.data())), from, 1, shape.elements()};
  gather_rows(all, nullptr, 0, 1, tensor.dtype(), tensor.bytes());
  return tensor;
}

namespace {

VariablePtr new_variable(const Tensor& value, std::string name) {
  if (value.is_symbolic())
    throw_not_traceable(str("Variable '", name, "': its first value must be concrete, not traced."));
  return std::make_shared<Variable>(value, std::move(name));
}

Tensor value_now(const VariablePtr& variable) {
  const auto graph = Graph::current();
  return graph ? graph->read(variable) : variable->value();
}

Tensor value_at_start(const VariablePtr& variable) {
  const auto graph = Graph::current();
  return graph ? graph->initial(variable) : variable->value();
}

void assign_value(const VariablePtr& variable, const Tensor& value) {
  if (const auto graph = Graph::current())
    graph->assign(variable, value);
  else if (value.is_symbolic())
    throw type_error("Variable '", variable->name(), "': a traced value can't be assigned outside its trace.");
  else
    variable->assign(value);
}

}  // namespace

void init_tensor(py::module_& module) {
  py::class_<Tensor>(module, "Tensor", py::dynamic_attr())
      .def_property_readonly("shape", [](const Tensor& t) { return tuple_of(t.shape()); })
      .def_property_readonly("dtype", [](const Tensor& t) { return std::string(name_of(t.dtype())); })
      .def_property_readonly("ndim", [](const Tensor& t) { return t.shape().rank(); })
      .def_property_readonly("size", [](const Tensor& t) { return t.shape().elements(); })
      .def_property_readonly("is_symbolic", &Tensor::is_symbolic)
      .def("numpy", &array_of, "A NumPy array with a copy of the elements.")
      .def("shared_array", &shared_array_of, "A NumPy array, only to be read, of the tensor's own memory.")
      .def("item", [](const Tensor& t) { return array_of(t).attr("item")(); });
  module.def(
      "tensor",
      [](const py::array& array, const std::optional<std::string>& dtype) {
        return tensor_of(array, dtype ? std::optional(dtype_from_name(*dtype)) : std::nullopt);
      },
      py::arg("array"), py::arg("dtype") = py::none(),
      "A tensor with a copy of the array's elements, converted to dtype (default: the array's).");
  module.def(
      "scalar", [](double number, const std::string& dtype) { return Tensor::scalar(dtype_from_name(dtype), number); },
      py::arg("number"), py::arg("dtype"));

  py::class_<Variable, VariablePtr>(module, "Variable")
      .def(py::init(&new_variable), py::arg("value"), py::arg("name"))
      .def_property_readonly("shape", [](const Variable& v) { return tuple_of(v.spec().shape); })
      .def_property_readonly("dtype", [](const Variable& v) { return std::string(name_of(v.spec().dtype)); })
      .def_property_readonly("name", &Variable::name)
      .def("value", &value_now, "The value now: concrete, or symbolic while a graph is recorded.")
      .def("initial", &value_at_start,
           "As value(), but before any assignment of the graph under recording: the source of gradients.")
      .def("concrete", &Variable::value, "The value that is stored, also while a graph is recorded.")
      .def("assign", &assign_value, py::arg("value"));
}

}  // namespace dlcore::python
