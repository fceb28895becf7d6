// Kernels whose source is made at run time, for the shapes and types of a program.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>

namespace dlcore::cuda {

/// One compiled kernel.
class JitKernel {
 public:
  virtual ~JitKernel() = default;
  /// parameters: the addresses of the kernel's parameters, as cudaLaunchKernel takes them.
  virtual void launch(unsigned blocks, unsigned threads, cudaStream_t stream, void** parameters) const = 0;
};

/// The kernel `name` (extern "C") of a source text for the current device. Compiled once per text: later calls get the
/// same kernel.
std::shared_ptr<const JitKernel> jit_kernel(const std::string& name, const std::string& source);

/// Machine code for an architecture such as "sm_90"; throws with the compiler's log. Needs no device.
std::string compile_to_cubin(const std::string& name, const std::string& source, const std::string& architecture);

/// The text of kernels/pointwise_math.cuh, which such sources start with.
extern const char* const kPointwiseMath;

}  // namespace dlcore::cuda
