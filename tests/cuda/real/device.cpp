// The tests' device on a real GPU: the first one.
#include "device.h"

#include "cuda/check.h"
#include "cuda/device.h"
#include "cuda/registry.h"

namespace dlcore::testing {

namespace {

cuda::CudaDevice& device() {
  static auto& first = *new cuda::CudaDevice(0);
  return first;
}

}  // namespace

const cuda::Context& device_context() { return device().use(); }
const cuda::PlanKernel* device_kernel(std::string_view primitive) { return cuda::find_kernel(primitive); }

void* device_allocate(std::size_t bytes) { return device().allocate(bytes); }
void device_free(void* pointer, std::size_t bytes) { device().free(static_cast<std::byte*>(pointer), bytes); }
// By the runtime itself: the device's own copies would throw where a test looks for a fault.
void upload(void* to, const void* from, std::size_t bytes) {
  DLCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, device_context().stream));
  DLCORE_CUDA_CHECK(cudaStreamSynchronize(device_context().stream));
}
void download(void* to, const void* from, std::size_t bytes) {
  DLCORE_CUDA_CHECK(cudaStreamSynchronize(device_context().stream));
  DLCORE_CUDA_CHECK(cudaMemcpy(to, from, bytes, cudaMemcpyDefault));
}

}  // namespace dlcore::testing
