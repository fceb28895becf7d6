#include "device.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace dlcore {

namespace {

std::map<std::string, cuda::PlanKernel, std::less<>>& kernels() {
  static std::map<std::string, cuda::PlanKernel, std::less<>> registered;
  return registered;
}

}  // namespace

void cuda::register_kernel(std::string_view primitive, PlanKernel plan) {
  if (!kernels().emplace(primitive, std::move(plan)).second) throw value_error(primitive, " is registered twice");
}

namespace testing {

const cuda::Context& device_context() {
  static cuda::FaultRecord record;
  static cuda::Faults faults;
  static int flag = 0;
  static const bool used = (faults.use(&record, &record, &flag), true);
  static char workspace[1 << 20];
  // Few multiprocessors and columns: work is cut into pieces where shapes of tests are small, too.
  static const cuda::Context context{nullptr, nullptr, nullptr, workspace, sizeof workspace,
                                     4096,    &faults, 2,       160 << 10, cuda::Context::Precision::highest};
  static const bool registered = (cuda::register_all(), true);
  (void)registered, (void)used;
  return context;
}

const cuda::PlanKernel* device_kernel(std::string_view primitive) {
  device_context();
  const auto found = kernels().find(primitive);
  return found == kernels().end() ? nullptr : &found->second;
}

void* device_allocate(std::size_t bytes) { return std::aligned_alloc(256, (bytes + 511) / 256 * 256); }
void device_free(void* pointer, std::size_t) { std::free(pointer); }
void upload(void* device, const void* host, std::size_t bytes) { std::memcpy(device, host, bytes); }
void download(void* host, const void* device, std::size_t bytes) { std::memcpy(host, device, bytes); }

}  // namespace testing
}  // namespace dlcore
