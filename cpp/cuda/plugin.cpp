// What the core finds in this library: the GPUs of this machine, or why there are none.
#include "cuda/check.h"
#include "cuda/device.h"
#include "dlcore/version.h"

namespace dlcore::cuda {

namespace {

// What the kernels are compiled for at least.
constexpr int kLeastCapability = 80;

Error no_device(const std::string& reason) { return Error(ErrorKind::Runtime, reason); }

int count_devices() {
  int count = 0, driver = 0;
  DLCORE_CUDA_CHECK(cudaDriverGetVersion(&driver));
  if (driver == 0) throw no_device("There is no NVIDIA driver: install version 580 or newer from nvidia.com/drivers.");
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaErrorInsufficientDriver)
    throw no_device(str("The NVIDIA driver is for CUDA ", driver / 1000, ".", driver % 1000 / 10,
                        " and too old: install version 580 or newer from nvidia.com/drivers."));
  if (code == cudaErrorNoDevice)
    throw no_device("The NVIDIA driver shows no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES.");
  check(code, "cudaGetDeviceCount");
  return count;
}

void expect_cudnn() {
  const auto name = [](std::size_t version) { return str(version / 10000, '.', version / 100 % 100); };
  if (const std::size_t found = cudnnGetVersion(); found < DLCORE_LEAST_CUDNN)
    throw no_device(str("cuDNN ", name(found), " is too old: ", name(DLCORE_LEAST_CUDNN), " or newer is needed. ",
                        "pip install \"nvidia-cudnn-cu13>=", name(DLCORE_LEAST_CUDNN), "\"."));
}

int capability(int index) {
  int major = 0, minor = 0;
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
  return 10 * major + minor;
}

}  // namespace

}  // namespace dlcore::cuda

extern "C" void dlcore_plugin_devices(const char* version, std::vector<std::unique_ptr<dlcore::Device>>& devices) {
  using namespace dlcore;
  expect_plugin_version(version, DLCORE_VERSION);
  const int count = cuda::count_devices();
  cuda::expect_cudnn();
  for (int index = 0; index < count; ++index)
    if (cuda::capability(index) >= cuda::kLeastCapability) devices.push_back(std::make_unique<cuda::CudaDevice>(index));
  if (devices.empty())
    throw cuda::no_device(
        str("The GPU has compute capability ", cuda::capability(0) / 10., "; 8.0 or more is needed."));
}
