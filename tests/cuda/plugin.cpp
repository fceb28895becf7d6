// The test device with the GPU's kernels on the emulator, as a plug-in: DLCORE_CUDA_PLUGIN names this library. Whole
// models run through the kernels' sources, slowly, where there is no GPU.
#include <dlfcn.h>

#include "device.h"
#include "device/test_device.h"
#include "dlcore/version.h"

namespace dlcore::testing {

namespace {

class EmulatedDevice : public TestDevice {
 public:
  std::string description() const override { return "an emulated GPU: the kernels' sources, run by the processor"; }
  bool has_kernel(const Primitive& op) const override { return device_kernel(op.name) != nullptr; }
  bool updates_from_products() const override { return false; }

 protected:
  Kernel plan_inside(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                     const Attrs& attrs) override {
    return (*device_kernel(op.name))(in, out, attrs, device_context());
  }
  bool has_fault() const override { return *device_context().faults->guard(true) != 0; }
  void check_faults() override { device_context().faults->check(device_context().stream); }
};

}  // namespace

}  // namespace dlcore::testing

extern "C" void dlcore_plugin_devices(const char* version, std::vector<std::unique_ptr<dlcore::Device>>& devices) {
  dlcore::expect_plugin_version(version, DLCORE_VERSION);
  // Kernels that are compiled at run time use the emulator's functions: this library shows them.
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&dlcore_plugin_devices), &info);
  dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
  devices.push_back(std::make_unique<dlcore::testing::EmulatedDevice>());
}
