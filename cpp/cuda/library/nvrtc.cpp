// Kernels compiled at run time by NVRTC, for the current device; kept in the process, and on disk from run to run.
#include <cuda_runtime_api.h>
#include <nvrtc.h>

#include <map>
#include <mutex>
#include <vector>

#include "cuda/check.h"
#include "cuda/disk_cache.h"
#include "cuda/jit.h"

namespace dlcore::cuda {

namespace {

void check(nvrtcResult code, const char* call) {
  if (code != NVRTC_SUCCESS) throw Error(ErrorKind::Runtime, str("NVRTC: ", nvrtcGetErrorString(code), " from ", call));
}
#define DLCORE_NVRTC_CHECK(call) check((call), #call)

/// "sm_90", of the current device.
std::string architecture() {
  int device = 0, major = 0, minor = 0;
  DLCORE_CUDA_CHECK(cudaGetDevice(&device));
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return str("sm_", major, minor);
}

std::string log_of(nvrtcProgram program) {
  std::size_t bytes = 0;
  if (nvrtcGetProgramLogSize(program, &bytes) != NVRTC_SUCCESS) return "";
  std::string log(bytes, '\0');
  return nvrtcGetProgramLog(program, log.data()) == NVRTC_SUCCESS ? log : "";
}

}  // namespace

std::string compile_to_cubin(const std::string& name, const std::string& source, const std::string& architecture) {
  nvrtcProgram program;
  DLCORE_NVRTC_CHECK(nvrtcCreateProgram(&program, source.c_str(), name.c_str(), 0, nullptr, nullptr));
  const std::string target = "--gpu-architecture=" + architecture;
  // Products and sums are rounded one by one, as on the CPU.
  const char* options[] = {target.c_str(), "--std=c++20", "--fmad=false"};
  const nvrtcResult result = nvrtcCompileProgram(program, static_cast<int>(std::size(options)), options);
  if (result != NVRTC_SUCCESS) {
    const std::string log = log_of(program);
    nvrtcDestroyProgram(&program);
    throw Error(ErrorKind::Runtime, str("NVRTC: ", nvrtcGetErrorString(result), " for ", name, ":\n", log));
  }
  std::size_t bytes = 0;
  DLCORE_NVRTC_CHECK(nvrtcGetCUBINSize(program, &bytes));
  std::string cubin(bytes, '\0');
  DLCORE_NVRTC_CHECK(nvrtcGetCUBIN(program, cubin.data()));
  DLCORE_NVRTC_CHECK(nvrtcDestroyProgram(&program));
  return cubin;
}

namespace {

std::string cubin_of(const std::string& name, const std::string& source) {
  int major = 0, minor = 0;
  DLCORE_NVRTC_CHECK(nvrtcVersion(&major, &minor));
  const std::string target = architecture();
  const std::string key = str("nvrtc ", major, '.', minor, ' ', target, '\n', source);
  std::string cubin = read_cached("cubin", key);
  if (!cubin.empty()) return cubin;
  cubin = compile_to_cubin(name, source, target);
  write_cached("cubin", key, cubin);
  return cubin;
}

class CompiledKernel : public JitKernel {
 public:
  CompiledKernel(const std::string& name, const std::string& source) {
    const std::string cubin = cubin_of(name, source);
    DLCORE_CUDA_CHECK(cudaLibraryLoadData(&library_, cubin.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    DLCORE_CUDA_CHECK(cudaLibraryGetKernel(&kernel_, library_, name.c_str()));
  }
  void launch(unsigned blocks, unsigned threads, cudaStream_t stream, void** parameters) const override {
    DLCORE_CUDA_CHECK(
        cudaLaunchKernel(reinterpret_cast<const void*>(kernel_), dim3(blocks), dim3(threads), parameters, 0, stream));
  }

 private:
  cudaLibrary_t library_ = nullptr;  // for as long as the process lives
  cudaKernel_t kernel_ = nullptr;
};

}  // namespace

std::shared_ptr<const JitKernel> jit_kernel(const std::string& name, const std::string& source) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, std::shared_ptr<const JitKernel>>;
  const std::lock_guard lock(mutex);
  auto& kernel = known[source];
  if (!kernel) kernel = std::make_shared<CompiledKernel>(name, source);
  return kernel;
}

}  // namespace dlcore::cuda
