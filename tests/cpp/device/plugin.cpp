// The test device as a plug-in, for the tests in Python: DLCORE_CUDA_PLUGIN names this library. Two variables tell what
// the device is like: DLCORE_TEST_DEVICE_MEMORY, in bytes, and DLCORE_TEST_DEVICE_WITHOUT, primitives with commas.
#include <cstdlib>
#include <sstream>

#include "device/test_device.h"
#include "dlcore/version.h"

extern "C" void dlcore_plugin_devices(const char* version, std::vector<std::unique_ptr<dlcore::Device>>& devices) {
  dlcore::expect_plugin_version(version, DLCORE_VERSION);
  auto device = std::make_unique<dlcore::testing::TestDevice>();
  if (const char* bytes = std::getenv("DLCORE_TEST_DEVICE_MEMORY")) device->memory_bytes = std::stoull(bytes);
  if (const char* without = std::getenv("DLCORE_TEST_DEVICE_WITHOUT")) {
    std::istringstream names(without);
    for (std::string name; std::getline(names, name, ',');) device->without.insert(name);
  }
  devices.push_back(std::move(device));
}
