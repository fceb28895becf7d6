// The processes that train one model together, each on its part of the batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "dlcore/dtype.h"

namespace dlcore {

/// What a process knows of its group. All processes call the functions in the same order; each waits for the others.
struct ProcessGroup {
  int rank = 0, size = 1;
  /// data[i] = the sum of the processes' data[i], the same bits everywhere; host memory; float32, float64, int32,
  /// int64.
  std::function<void(void* data, std::int64_t count, DType dtype)> sum = nullptr;
  /// The bytes of process 0, on the host, for all.
  std::function<void(void* data, std::size_t bytes)> broadcast = nullptr;
};

const ProcessGroup& process_group();
/// Before programs are compiled that communicate.
void set_process_group(ProcessGroup group);

}  // namespace dlcore
