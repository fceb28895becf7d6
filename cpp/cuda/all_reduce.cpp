// Sums over the processes that train together, one GPU each, through NCCL.
#include <nccl.h>

#include <memory>

#include "cuda/all_reduce.h"
#include "cuda/check.h"
#include "cuda/context.h"
#include "program/process_group.h"

namespace dlcore::cuda {

namespace {

void check(ncclResult_t code, const char* call) {
  if (code != ncclSuccess)
    throw Error(ErrorKind::Runtime,
                str("NCCL: ", ncclGetErrorString(code), " from ", call, ": ", ncclGetLastError(nullptr)));
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

// Sums have a stream of their own, in whose order all processes work.
cudaStream_t sum_stream() {
  static const cudaStream_t one = [] {
    cudaStream_t made = nullptr;
    DLCORE_CUDA_CHECK(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return one;
}

class Event {
 public:
  Event() { DLCORE_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// What is enqueued on `later` from here on waits for what is enqueued on `earlier` up to here.
  void order(cudaStream_t earlier, cudaStream_t later) const {
    DLCORE_CUDA_CHECK(cudaEventRecord(event_, earlier));
    DLCORE_CUDA_CHECK(cudaStreamWaitEvent(later, event_));
  }

 private:
  cudaEvent_t event_ = nullptr;
};

std::function<void(const Buffers&, cudaStream_t)> sum_of(std::span<const TensorSpec> in) {
  std::vector<std::size_t> counts;
  for (const TensorSpec& spec : in) counts.push_back(static_cast<std::size_t>(spec.shape.elements()));
  return [counts, type = nccl_type(in[0].dtype), comm = communicator()](const Buffers& b, cudaStream_t stream) {
    DLCORE_NCCL_CHECK(ncclGroupStart());
    for (std::size_t i = 0; i < counts.size(); ++i)
      DLCORE_NCCL_CHECK(ncclAllReduce(b.in[i], b.out[i], counts[i], type, ncclSum, comm, stream));
    DLCORE_NCCL_CHECK(ncclGroupEnd());
  };
}

Kernel plan_all_reduce(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&,
                       const Context& context) {
  return {.run = [sum = sum_of(in), &context](const Buffers& b) { sum(b, context.stream); },
          .label = "nccl_all_reduce"};
}

Kernel plan_start(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&, const Context& context) {
  return {.run =
              [sum = sum_of(in), made = std::make_shared<Event>(), &context](const Buffers& b) {
                made->order(context.stream, sum_stream());
                sum(b, sum_stream());
              },
          .label = "nccl_all_reduce_start"};
}

Kernel plan_wait(std::span<const TensorSpec>, std::span<const TensorSpec> out, const Attrs&, const Context& context) {
  std::vector<std::size_t> bytes;
  Kernel kernel;
  kernel.label = "nccl_all_reduce_wait";
  for (std::size_t i = 0; i < out.size(); ++i) {
    bytes.push_back(out[i].bytes());
    kernel.in_place.emplace_back(static_cast<int>(i), static_cast<int>(out.size() + i));
  }
  kernel.run = [bytes, done = std::make_shared<Event>(), &context](const Buffers& b) {
    done->order(sum_stream(), context.stream);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const void* sum = b.in[bytes.size() + i];
      if (b.out[i] != sum && bytes[i])
        DLCORE_CUDA_CHECK(cudaMemcpyAsync(b.out[i], sum, bytes[i], cudaMemcpyDeviceToDevice, context.stream));
    }
  };
  return kernel;
}

}  // namespace

void register_all_reduce() {
  register_kernel("all_reduce", plan_all_reduce);
  register_kernel("all_reduce_start", plan_start);
  register_kernel("all_reduce_wait", plan_wait);
}

}  // namespace dlcore::cuda
