#include "bindings/bindings.h"
#include "dlcore/model_io.h"
#include "program/graph.h"

namespace dlcore::python {

void init_model(py::module_& module) {
  py::class_<Model>(module, "NativeModel")
      .def(py::init<>())
      .def_static("load", py::overload_cast<const std::string&>(&Model::load), py::arg("path"),
                  py::call_guard<py::gil_scoped_release>())
      .def("save", &Model::save, py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def(
          "add",
          [](Model& model, const std::string& function, const std::shared_ptr<Graph>& graph,
             const std::vector<Tensor>& outputs, std::vector<std::string> names) {
            graph->set_outputs(outputs, std::move(names));
            model.add(function, graph);
          },
          py::arg("function"), py::arg("graph"), py::arg("outputs"), py::arg("names"))
      .def("functions", &Model::functions)
      .def("output_names", &Model::output_names, py::arg("function"))
      .def(
          "run",
          [](Model& model, const std::string& function, const std::vector<Tensor>& inputs) {
            py::gil_scoped_release release;
            return model.run(function, inputs);
          },
          py::arg("function"), py::arg("inputs"));
}

}  // namespace dlcore::python
