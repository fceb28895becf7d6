#include "cuda/registry.h"

#include <map>
#include <mutex>
#include <string>

namespace dlcore::cuda {

namespace {

std::map<std::string, PlanKernel, std::less<>>& registry() {
  static auto& kernels = *new std::map<std::string, PlanKernel, std::less<>>;
  return kernels;
}

}  // namespace

void register_kernel(std::string_view primitive, PlanKernel plan) {
  if (!find_primitive(primitive))
    throw Error(ErrorKind::Runtime, str("a kernel is registered for '", primitive, "', which is no primitive."));
  if (!registry().emplace(primitive, std::move(plan)).second)
    throw Error(ErrorKind::Runtime, str("the kernel of '", primitive, "' is registered twice."));
}

const PlanKernel* find_kernel(std::string_view primitive) {
  static std::once_flag once;
  std::call_once(once, register_all);
  const auto at = registry().find(primitive);
  return at == registry().end() ? nullptr : &at->second;
}

}  // namespace dlcore::cuda
