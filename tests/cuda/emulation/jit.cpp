// Kernels made at run time, compiled by the host compiler: the text that NVRTC would get, behind emulation.h.
#include "cuda/jit.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "dlcore/error.h"
#include "emulation.h"

namespace dlcore::cuda {

namespace {

/// What such a kernel needs of the 16-bit floats and of the device, in front of its text.
constexpr const char* kBefore = R"(
#include "emulation.h"
#include "program/half.h"
using dlcore::half_to_float; using dlcore::bfloat_to_float; using dlcore::float_to_half; using dlcore::float_to_bfloat;
#line 1 "kernel"
)";

/// Behind it: calls the kernel with parameters by address, as cudaLaunchKernel does.
constexpr const char* kBehind = R"(
template <class... P> struct Call {
  template <int... K> static void with(void (*kernel)(P...), void** p, Numbers<K...>) { kernel(*(P*)p[K]...); }
};
template <class... P> void call(void (*kernel)(P...), void** p) { Call<P...>::with(kernel, p, MakeNumbers<sizeof...(P)>{}); }
)";
constexpr const char* kNumbers = R"(
template <int... K> struct Numbers {};
template <int N, int... K> struct Make : Make<N - 1, N - 1, K...> {};
template <int... K> struct Make<0, K...> { using type = Numbers<K...>; };
template <int N> using MakeNumbers = typename Make<N>::type;
)";

using Entry = void (*)(void**);

class HostKernel : public JitKernel {
 public:
  HostKernel(const std::string& name, const std::string& text) {
    const std::string base = str("/tmp/dlcore_jit_", getpid(), "_", name);
    std::ofstream(base + ".cpp") << kBefore << text << kNumbers << kBehind
                                 << "extern \"C\" void entry(void** p) { call(" << name << ", p); }\n";
    const std::string command = str(DLCORE_HOST_COMPILER, " -std=c++20 -O1 -w -shared -fPIC -ffp-contract=off -I",
                                    DLCORE_EMULATION_DIR, " -I", DLCORE_CPP_DIR, " -o ", base, ".so ", base, ".cpp");
    if (std::system(command.c_str()) != 0)
      throw Error(ErrorKind::Runtime, "the kernel does not compile: " + base + ".cpp");
    void* library = dlopen((base + ".so").c_str(), RTLD_NOW);
    if (!library) throw Error(ErrorKind::Runtime, dlerror());
    entry_ = reinterpret_cast<Entry>(dlsym(library, "entry"));
    unlink((base + ".cpp").c_str());
    unlink((base + ".so").c_str());
  }
  void launch(unsigned blocks, unsigned threads, cudaStream_t, void** parameters) const override {
    emulation::run(blocks, threads, 0, [&] { entry_(parameters); });
  }

 private:
  Entry entry_;
};

}  // namespace

std::shared_ptr<const JitKernel> jit_kernel(const std::string& name, const std::string& source) {
  static std::map<std::string, std::shared_ptr<const JitKernel>> known;
  auto& kernel = known[source];
  if (!kernel) kernel = std::make_shared<HostKernel>(name, source);
  return kernel;
}

}  // namespace dlcore::cuda
