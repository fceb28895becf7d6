// What the kernels of the plug-in work with: the device's stream and library handles, and the list they register in.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "cuda/faults.h"
#include "program/primitive.h"

namespace dlcore::cuda {

/// Shared by everything that runs on one device. All work is enqueued on the one stream, so buffers are used in order.
struct Context {
  enum class Precision { highest, tf32 };

  cudaStream_t stream;
  cublasLtHandle_t cublaslt;
  cudnnHandle_t cudnn;  // bound to the stream
  /// For the libraries, of any kernel: free again when the next one starts. Device memory, 256-byte aligned.
  void* workspace;
  std::size_t workspace_bytes;
  std::size_t column_bytes;  // of a convolution's windows (im2col) that are laid out at a time
  Faults* faults;
  int sm_count;
  std::size_t shared_bytes;  // that a block may ask for
  Precision precision;       // of float32 matmul and convolution
};

/// Plans the kernel of one node for known shapes, as Primitive::plan does for the CPU. The kernel's buffers and scratch
/// are device memory; its run only enqueues on context.stream: it neither synchronises nor allocates, so that it can be
/// captured. The context outlives the kernel.
using PlanKernel = std::function<Kernel(std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                                        const Attrs& attrs, const Context& context)>;

/// Adds a primitive's kernel; called by register_all.
void register_kernel(std::string_view primitive, PlanKernel plan);
/// In cpp/cuda/ops: calls the register_<family>() of each file.
void register_all();

}  // namespace dlcore::cuda
