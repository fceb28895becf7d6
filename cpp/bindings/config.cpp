#include "base/cpu.h"
#include "base/parallel.h"
#include "bindings/bindings.h"
#include "dlcore/version.h"

namespace dlcore::python {

void init_config(py::module_& module) {
  module.attr("__version__") = DLCORE_VERSION;
  module.def("num_threads", &num_threads);
  module.def("set_num_threads", &set_num_threads, py::arg("threads"));
  module.def("isa", [] { return has_amx() ? "amx" : std::string(name_of(isa())); });
  module.def("cpu_name", &cpu_name);
  module.def("primitive_names", &primitive_names);
}

}  // namespace dlcore::python
