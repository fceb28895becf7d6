// The parts of the module dlcore._core, one per topic.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "dlcore/tensor.h"
#include "program/primitive.h"

namespace dlcore::python {

namespace py = pybind11;

void init_errors(py::module_& module);
void init_tensor(py::module_& module);
void init_dlpack(py::module_& module);
void init_ops(py::module_& module);
void init_graph(py::module_& module);
void init_program(py::module_& module);
void init_model(py::module_& module);
void init_config(py::module_& module);
void init_device(py::module_& module);
void init_text(py::module_& module);

/// Raises dlcore.errors.NotTraceable.
[[noreturn]] void throw_not_traceable(const std::string& message);
/// (32, None, 3)
py::tuple tuple_of(const Shape& shape);
/// Accepts None for an unknown size.
Shape shape_of(const py::handle& sizes);
/// The dtype of an array; a Type error for what dlcore does not store.
DType dtype_of_array(const py::array& array);
/// A tensor with a copy of the array's elements, converted to dtype (default: the array's).
Tensor tensor_of(const py::array& array, std::optional<DType> dtype = {});
/// An array of this dtype and shape, its elements not set yet.
py::array empty_array(const TensorSpec& spec);
/// A copy of the tensor as a NumPy array.
py::array array_of(const Tensor& tensor);
/// NumPy's dtype object (ml_dtypes for bfloat16).
py::dtype numpy_dtype(DType dtype);

}  // namespace dlcore::python
