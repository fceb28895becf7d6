// Where a kernel reports a value that it can't compute with, and as whom: see faults.h.
#pragma once

#include <cstdint>

namespace dlcore::cuda {

struct FaultRecord {
  int site;  // 0: none
  std::int64_t value, position;
};

struct FaultSite {
  int* flag;  // device memory: not 0 once something has been reported
  FaultRecord* record;
  int site;
};

}  // namespace dlcore::cuda
