#include "cuda/faults.h"

#include "cuda/kernels/movement.h"
#include "program/caller.h"

namespace dlcore::cuda {

void Faults::use(FaultRecord* on_host, FaultRecord* on_device, int* flag) {
  on_host_ = on_host;
  on_device_ = on_device;
  flag_ = flag;
  *on_host_ = {};
}

std::shared_ptr<const FaultSite> Faults::site(Describe describe) {
  const std::lock_guard lock(mutex_);
  const int number = ++last_site_;
  sites_.emplace(number, [describe = std::move(describe), caller = current_caller()](auto value, auto position) {
    return named(describe(value, position), caller);
  });
  return {new FaultSite{flag_, on_device_, number}, [this](const FaultSite* site) {
            const std::lock_guard lock(mutex_);
            sites_.erase(site->site);
            delete site;
          }};
}

void Faults::check(cudaStream_t stream) {
  volatile FaultRecord& record = *on_host_;
  const int number = record.site;
  if (number == 0) return;
  const std::int64_t value = record.value, position = record.position;
  record.site = 0;
  zero_bytes(stream, flag_, sizeof *flag_);
  const std::lock_guard lock(mutex_);
  const auto found = sites_.find(number);
  if (found == sites_.end()) throw index_error("the number ", value, " at ", position, " was out of range.");
  throw found->second(value, position);
}

}  // namespace dlcore::cuda
