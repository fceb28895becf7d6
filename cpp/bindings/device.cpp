#include "program/device.h"

#include <optional>

#include "bindings/bindings.h"

namespace dlcore::python {

namespace {

/// `with Place("gpu:0"):` computes there.
class Place {
 public:
  explicit Place(const std::string& name) : device_(device(name)) {}
  void enter() { scopes_.push_back(std::make_unique<DeviceScope>(device_)); }
  void exit() { scopes_.pop_back(); }
  std::string name() const { return device_.name(); }

 private:
  Device& device_;
  std::vector<std::unique_ptr<DeviceScope>> scopes_;
};

py::list list_devices() {
  py::list list;
  for (const Device* device : devices()) list.append(py::make_tuple(device->name(), device->description()));
  return list;
}

/// Programs compiled at the same placement are alike.
std::string placement() { return current_device().name() + (precision() == Precision::Tf32 ? " tf32" : ""); }

}  // namespace

void init_device(py::module_& module) {
  py::class_<Place>(module, "Place", "`with Place(\"gpu:0\"):` computes on a device.")
      .def(py::init<const std::string&>(), py::arg("name"))
      .def_property_readonly("name", &Place::name)
      .def("__enter__", &Place::enter)
      .def("__exit__", [](Place& place, const py::args&) { place.exit(); });
  module.def("devices", &list_devices, "(name, description) of each device.");
  module.def("no_device_reason", &no_device_reason, "Why there is no device but the processor, in one line.");
  module.def("placement", &placement, "The device in force and what else decides about a program's kernels.");
  module.def("synchronize", [] { current_device().synchronize(); }, py::call_guard<py::gil_scoped_release>(),
             "Waits until the device in force has done its work.");
  module.def("missing_kernels", [](const std::string& name) { return missing_kernels(device(name)); },
             py::arg("device"), "The primitives that a device can't run.");
  module.def("set_tf32", [](bool on) { set_precision(on ? Precision::Tf32 : Precision::Highest); }, py::arg("on"));
  module.def("tf32", [] { return precision() == Precision::Tf32; });
}

}  // namespace dlcore::python
