// Errors that only data can show. A kernel writes down the first that it meets, in host memory that the GPU can write,
// so that nothing waits for it; the host throws it when it next waits. Until then a flag in the GPU's memory tells all
// kernels behind that one to leave variables as they are.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/fault_site.h"
#include "dlcore/error.h"

namespace dlcore::cuda {

class Faults {
 public:
  /// The error for a value at a position.
  using Describe = std::function<Error(std::int64_t value, std::int64_t position)>;

  /// The record as the host and as the device see it, and the device's flag: 0.
  void use(FaultRecord* on_host, FaultRecord* on_device, int* flag);
  /// A site of a planned kernel, while it is held. Its errors name the caller that it is planned for.
  std::shared_ptr<const FaultSite> site(Describe describe);
  /// What a kernel gets that writes to `guarded` outputs, or to others.
  const int* guard(bool guarded) const { return guarded ? flag_ : nullptr; }
  /// Throws what has been reported; what is enqueued on the stream from then on runs again. Nothing is running.
  void check(cudaStream_t stream);

 private:
  std::mutex mutex_;
  std::map<int, Describe> sites_;
  int last_site_ = 0;
  FaultRecord* on_host_ = nullptr;
  FaultRecord* on_device_ = nullptr;
  int* flag_ = nullptr;
};

}  // namespace dlcore::cuda
