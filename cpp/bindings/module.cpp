#include "bindings/bindings.h"

PYBIND11_MODULE(_core, module) {
  using namespace dlcore::python;
  module.doc() = "The C++ core of dlcore.";
  init_errors(module);
  init_config(module);
  init_device(module);
  init_tensor(module);
  init_dlpack(module);
  init_ops(module);
  init_program(module);
  init_graph(module);
  init_model(module);
  init_text(module);
}
