#include <unordered_map>

#include "bindings/bindings.h"
#include "program/graph.h"

namespace dlcore::python {

namespace {

// Python's bool is an int, so it is asked first; a list is of integers unless a float is in it.
Attr attr_of(const std::string& name, const py::handle& value) {
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>();
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::float_>(value)) return value.cast<double>();
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    for (const py::handle& item : value)
      if (py::isinstance<py::float_>(item)) return value.cast<std::vector<double>>();
    return value.cast<std::vector<std::int64_t>>();
  }
  if (PyIndex_Check(value.ptr())) return value.cast<std::int64_t>();
  if (PyNumber_Check(value.ptr())) return value.cast<double>();
  throw type_error("attribute '", name, "' has a value that is neither number, string nor list of numbers.");
}

Attrs attrs_of(const py::kwargs& kwargs) {
  Attrs attrs;
  for (const auto& [key, value] : kwargs) {
    std::string name = key.cast<std::string>();
    Attr attr = attr_of(name, value);
    attrs.set(std::move(name), std::move(attr));
  }
  return attrs;
}

// Names come as literals: they are remembered by object.
const Primitive& primitive_of(const py::object& name) {
  static auto& cache = *new std::unordered_map<PyObject*, std::pair<py::object, const Primitive*>>;
  const auto at = cache.find(name.ptr());
  if (at != cache.end()) return *at->second.second;
  const Primitive& found = primitive(name.cast<std::string>());
  if (cache.size() < 4096) cache.emplace(name.ptr(), std::make_pair(name, &found));
  return found;
}

py::object apply_primitive(const py::object& name, const std::vector<Tensor>& inputs, const py::kwargs& kwargs) {
  std::vector<Tensor> outputs = apply_all(primitive_of(name), inputs, attrs_of(kwargs));
  if (outputs.size() == 1) return py::cast(std::move(outputs[0]));
  return py::tuple(py::cast(std::move(outputs)));
}

}  // namespace

void init_ops(py::module_& module) {
  module.def("apply", &apply_primitive, py::arg("name"), py::arg("inputs"),
             "Runs (or records) a primitive. Returns its output, or a tuple when it has several.");
}

}  // namespace dlcore::python
