#include "dlcore/error.h"

#include "bindings/bindings.h"

namespace dlcore::python {

namespace {

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
      return PyExc_MemoryError;
    case ErrorKind::Io:
      return PyExc_OSError;
    case ErrorKind::Runtime:
      break;
  }
  return PyExc_RuntimeError;
}

}  // namespace

void init_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      PyErr_SetString(python_type(error.kind()), error.what());
    }
  });
}

}  // namespace dlcore::python
