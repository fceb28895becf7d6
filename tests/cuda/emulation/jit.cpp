// Kernels made at run time, compiled by the host compiler: the text that NVRTC would get, behind emulation.h. Those
// that have been asked for when one is launched are compiled together.
#include "cuda/jit.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "dlcore/error.h"
#include "emulation.h"

namespace dlcore::cuda {

namespace {

/// What such kernels need of the 16-bit floats and of the device, and how they are called with parameters by address,
/// as cudaLaunchKernel does.
constexpr const char* kBefore = R"(
#include "emulation.h"
#include "base/half.h"
using dlcore::half_to_float; using dlcore::bfloat_to_float; using dlcore::float_to_half; using dlcore::float_to_bfloat;
template <int... K> struct Numbers {};
template <int N, int... K> struct Make : Make<N - 1, N - 1, K...> {};
template <int... K> struct Make<0, K...> { using type = Numbers<K...>; };
template <class... P, int... K> void call(void (*kernel)(P...), void** p, Numbers<K...>) { kernel(*(P*)p[K]...); }
template <class... P> void call(void (*kernel)(P...), void** p) { call(kernel, p, typename Make<sizeof...(P)>::type{}); }
)";

using Entry = void (*)(void**);

void compile_pending();

struct HostKernel : JitKernel {
  std::string name, text;
  mutable Entry entry = nullptr;

  HostKernel(std::string name, std::string text) : name(std::move(name)), text(std::move(text)) {}
  void launch(unsigned blocks, unsigned threads, cudaStream_t, void** parameters) const override {
    if (!entry) compile_pending();
    emulation::run(blocks, threads, 0, [&] { entry(parameters); });
  }
  /// Where its own text begins, behind what all have.
  std::size_t own_text() const { return text.find("namespace " + name); }
};

std::vector<const HostKernel*> pending;

void compile_pending() {
  static int number = 0;
  const std::string base = str("/tmp/dlcore_jit_", getpid(), "_", number++);
  {
    std::ofstream file(base + ".cpp");
    file << kBefore << pending[0]->text.substr(0, pending[0]->own_text());
    for (const HostKernel* kernel : pending)
      file << kernel->text.substr(kernel->own_text()) << "extern \"C\" void entry_" << kernel->name
           << "(void** p) { call(" << kernel->name << ", p); }\n";
  }
  const std::string command = str(DLCORE_HOST_COMPILER, " -std=c++20 -O0 -w -shared -fPIC -ffp-contract=off -I",
                                  DLCORE_EMULATION_DIR, " -I", DLCORE_CPP_DIR, " -o ", base, ".so ", base, ".cpp");
  if (std::system(command.c_str()) != 0)
    throw Error(ErrorKind::Runtime, "the kernels do not compile: " + base + ".cpp");
  void* library = dlopen((base + ".so").c_str(), RTLD_NOW);
  if (!library) throw Error(ErrorKind::Runtime, dlerror());
  for (const HostKernel* kernel : pending)
    kernel->entry = reinterpret_cast<Entry>(dlsym(library, ("entry_" + kernel->name).c_str()));
  pending.clear();
  unlink((base + ".cpp").c_str());
  unlink((base + ".so").c_str());
}

}  // namespace

std::shared_ptr<const JitKernel> jit_kernel(const std::string& name, const std::string& source) {
  static std::map<std::string, std::shared_ptr<const HostKernel>> known;
  auto& kernel = known[source];
  if (!kernel) {
    kernel = std::make_shared<HostKernel>(name, source);
    pending.push_back(kernel.get());
    if (const char* folder = std::getenv("DLCORE_JIT_SOURCES"))  // to see them, or to give them to another compiler
      std::ofstream(str(folder, '/', name, ".cu")) << source;
  }
  return kernel;
}

}  // namespace dlcore::cuda
