#include "dlcore/error.h"

#include "bindings/bindings.h"

namespace dlcore::python {

namespace {

PyObject* out_of_memory = nullptr;  // dlcore.errors.OutOfMemory
PyObject* not_traceable = nullptr;  // dlcore.errors.NotTraceable

PyObject* python_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Value:
      return PyExc_ValueError;
    case ErrorKind::Type:
      return PyExc_TypeError;
    case ErrorKind::Index:
      return PyExc_IndexError;
    case ErrorKind::NotImplemented:
      return PyExc_NotImplementedError;
    case ErrorKind::OutOfMemory:
      return out_of_memory;
    case ErrorKind::Io:
      return PyExc_OSError;
    case ErrorKind::Runtime:
      break;
  }
  return PyExc_RuntimeError;
}

}  // namespace

void throw_not_traceable(const std::string& message) {
  PyErr_SetString(not_traceable, message.c_str());
  throw py::error_already_set();
}

void init_errors(py::module_& module) {
  out_of_memory = PyErr_NewExceptionWithDoc("dlcore.errors.OutOfMemory",
                                            "The host or a device has not the memory that was asked for.",
                                            PyExc_MemoryError, nullptr);
  module.add_object("OutOfMemory", py::reinterpret_borrow<py::object>(out_of_memory));
  not_traceable = PyErr_NewExceptionWithDoc("dlcore.errors.NotTraceable",
                                            "A function needs values that tensors do not have while it is traced.",
                                            PyExc_TypeError, nullptr);
  module.add_object("NotTraceable", py::reinterpret_borrow<py::object>(not_traceable));
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      PyErr_SetString(python_type(error.kind()), error.what());
    }
  });
}

}  // namespace dlcore::python
