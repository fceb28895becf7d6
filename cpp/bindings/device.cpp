#include "program/device.h"

#include <optional>

#include "bindings/bindings.h"
#include "program/process_group.h"

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

/// A number for the device in force and the precision: programs compiled under the same one are alike.
std::size_t placement() { return reinterpret_cast<std::size_t>(&current_device()) + (precision() == Precision::Tf32); }

/// The functions call Python, from programs that run without its lock.
void set_python_process_group(int rank, int size, const py::function& sum, const py::function& broadcast) {
  // Leaked: the interpreter may be gone when static objects are destroyed.
  const auto &held_sum = *new py::function(sum), &held_broadcast = *new py::function(broadcast);
  const auto view = [](const py::dtype& dtype, void* data, std::int64_t count) {
    return py::array(dtype, {static_cast<py::ssize_t>(count)}, {}, data, py::none());
  };
  set_process_group({rank, size,
                     [=, &held_sum](void* data, std::int64_t count, DType dtype) {
                       const py::gil_scoped_acquire acquire;
                       held_sum(view(numpy_dtype(dtype), data, count));
                     },
                     [=, &held_broadcast](void* data, std::size_t bytes) {
                       const py::gil_scoped_acquire acquire;
                       held_broadcast(view(py::dtype::of<std::uint8_t>(), data, static_cast<std::int64_t>(bytes)));
                     }});
}

}  // namespace

void init_device(py::module_& module) {
  py::class_<Place>(module, "Place", "`with Place(\"gpu:0\"):` computes on a device.")
      .def(py::init<const std::string&>(), py::arg("name"))
      .def_property_readonly("name", &Place::name)
      .def("__enter__", &Place::enter)
      .def("__exit__", [](Place& place, const py::args&) { place.exit(); });
  module.def("devices", &list_devices, "(name, description) of each device.");
  module.def("no_device_reason", &no_device_reason, "Why there is no device but the processor, in one line.");
  module.def(
      "current_device", [] { return current_device().name(); }, "The name of the device in force.");
  module.def("placement", &placement, "A number; programs compiled under the same one are alike.");
  module.def(
      "synchronize", [] { current_device().synchronize(); }, py::call_guard<py::gil_scoped_release>(),
      "Waits until the device in force has done its work.");
  module.def(
      "missing_kernels", [](const std::string& name) { return missing_kernels(device(name)); }, py::arg("device"),
      "The primitives that a device can't run.");
  module.def(
      "set_process_group", &set_python_process_group, py::arg("rank"), py::arg("size"), py::arg("sum"),
      py::arg("broadcast"),
      "The processes that train together; sum(array) and broadcast(array) work in place, on all of them at once.");
  module.def(
      "set_tf32", [](bool on) { set_precision(on ? Precision::Tf32 : Precision::Highest); }, py::arg("on"));
  module.def("tf32", [] { return precision() == Precision::Tf32; });
}

}  // namespace dlcore::python
