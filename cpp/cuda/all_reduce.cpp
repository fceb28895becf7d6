// Sums over the processes that train together, one GPU each, through NCCL.
#include <nccl.h>

#include "cuda/all_reduce.h"
#include "cuda/check.h"
#include "cuda/context.h"
#include "program/process_group.h"

namespace dlcore::cuda {

namespace {

void check(ncclResult_t code, const char* call) {
  if (code != ncclSuccess)
    throw Error(ErrorKind::Runtime, str("NCCL: ", ncclGetErrorString(code), " from ", call, ": ", ncclGetLastError(nullptr)));
}

#define DLCORE_NCCL_CHECK(call) check((call), #call)

// Made when the first program that communicates is planned, by all processes at that point; never destroyed.
ncclComm_t communicator() {
  static const ncclComm_t one = [] {
    const ProcessGroup& group = process_group();
    ncclUniqueId id{};
    if (group.rank == 0) DLCORE_NCCL_CHECK(ncclGetUniqueId(&id));
    if (group.size > 1) group.broadcast(&id, sizeof id);
    ncclComm_t made = nullptr;
    DLCORE_NCCL_CHECK(ncclCommInitRank(&made, group.size, id, group.rank));
    return made;
  }();
  return one;
}

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::F64:
      return ncclFloat64;
    case DType::I32:
      return ncclInt32;
    case DType::I64:
      return ncclInt64;
    default:
      return ncclFloat32;
  }
}

Kernel plan_all_reduce(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&,
                       const Context& context) {
  Kernel kernel;
  kernel.label = "nccl_all_reduce";
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i < in.size(); ++i) {
    counts.push_back(static_cast<std::size_t>(in[i].shape.elements()));
    kernel.in_place.emplace_back(static_cast<int>(i), static_cast<int>(i));
  }
  kernel.run = [counts, type = nccl_type(in[0].dtype), comm = communicator(), &context](const Buffers& b) {
    DLCORE_NCCL_CHECK(ncclGroupStart());
    for (std::size_t i = 0; i < counts.size(); ++i)
      DLCORE_NCCL_CHECK(ncclAllReduce(b.in[i], b.out[i], counts[i], type, ncclSum, comm, context.stream));
    DLCORE_NCCL_CHECK(ncclGroupEnd());
  };
  return kernel;
}

}  // namespace

void register_all_reduce() { register_kernel("all_reduce", plan_all_reduce); }

}  // namespace dlcore::cuda
