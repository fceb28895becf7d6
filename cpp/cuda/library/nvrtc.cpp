// Kernels compiled at run time by NVRTC, for the current device; kept in the process, and in a folder from run to run.
#include <cuda_runtime_api.h>
#include <nvrtc.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/check.h"
#include "cuda/jit.h"

namespace dlcore::cuda {

namespace {

namespace fs = std::filesystem;

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

// ---- the folder: a file holds what it was made from, then the code; it is used only when the former is the same

fs::path cache_folder() {
  if (const char* given = std::getenv("DLCORE_CUDA_CACHE")) return given;
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return fs::path(cache) / "dlcore" / "cuda";
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".cache" / "dlcore" / "cuda";
  return {};
}

std::string read_cached(const fs::path& file, const std::string& key) {
  std::ifstream in(file, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  return content.starts_with(key) ? content.substr(key.size()) : "";
}

/// A cache that can't be written is no error.
void write_cached(const fs::path& file, const std::string& key, const std::string& cubin) {
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  const fs::path part = str(file.string(), '.', getpid());
  {
    std::ofstream out(part, std::ios::binary);
    out << key << cubin;
    if (!out.flush()) return void(fs::remove(part, ignored));
  }
  fs::rename(part, file, ignored);
}

std::string cubin_of(const std::string& name, const std::string& source) {
  int major = 0, minor = 0;
  DLCORE_NVRTC_CHECK(nvrtcVersion(&major, &minor));
  const std::string target = architecture();
  const fs::path folder = cache_folder();
  if (folder.empty()) return compile_to_cubin(name, source, target);
  const std::string key = str("nvrtc ", major, '.', minor, ' ', target, '\n', source, '\0');
  const fs::path file = folder / str(std::hex, std::hash<std::string>{}(key), ".cubin");
  std::string cubin = read_cached(file, key);
  if (!cubin.empty()) return cubin;
  cubin = compile_to_cubin(name, source, target);
  write_cached(file, key, cubin);
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
