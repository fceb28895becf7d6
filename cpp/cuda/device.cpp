#include "cuda/device.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "cuda/check.h"
#include "cuda/gather.h"
#include "cuda/kernels/movement.h"
#include "cuda/registry.h"

namespace dlcore::cuda {

namespace {

// The libraries' heuristics leave out algorithms that need more; cuBLAS asks for 32 MiB, convolutions for more.
constexpr std::size_t kMostWorkspaceBytes = 256 << 20;
// Much of it stays in the cache between the kernel that lays it out and the product that reads it.
constexpr std::size_t kColumnBytes = 64 << 20;

/// Two host buffers that the GPU can read by itself, and two on the GPU: a batch is copied while the one before it is
/// computed.
class PinnedUploader : public Uploader {
 public:
  PinnedUploader(CudaDevice& device, std::size_t bytes) : device_(device), bytes_(bytes) {
    device_.use();
    try {
      for (Slot& slot : slots_) {
        DLCORE_CUDA_CHECK(cudaHostAlloc(&slot.host, bytes, cudaHostAllocDefault));
        slot.staging = device_.allocate(bytes);
        DLCORE_CUDA_CHECK(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming));
        DLCORE_CUDA_CHECK(cudaEventCreateWithFlags(&slot.consumed, cudaEventDisableTiming));
      }
    } catch (...) {
      release();
      throw;
    }
  }
  ~PinnedUploader() override { release(); }

  std::byte* next() override {
    device_.use();
    turn_ = 1 - turn_;
    Slot& slot = slots_[turn_];
    if (slot.used) DLCORE_CUDA_CHECK(cudaEventSynchronize(slot.copied));
    return static_cast<std::byte*>(slot.host);
  }

  void send(std::byte* to) override {
    const Context& context = device_.use();
    Slot& slot = slots_[turn_];
    const cudaStream_t copies = device_.copy_stream();
    if (!slot.used) DLCORE_CUDA_CHECK(cudaEventRecord(slot.consumed, context.stream));  // the staging memory is there
    slot.used = true;
    DLCORE_CUDA_CHECK(cudaStreamWaitEvent(copies, slot.consumed));
    DLCORE_CUDA_CHECK(cudaMemcpyAsync(slot.staging, slot.host, bytes_, cudaMemcpyHostToDevice, copies));
    DLCORE_CUDA_CHECK(cudaEventRecord(slot.copied, copies));
    DLCORE_CUDA_CHECK(cudaStreamWaitEvent(context.stream, slot.copied));
    DLCORE_CUDA_CHECK(cudaMemcpyAsync(to, slot.staging, bytes_, cudaMemcpyDeviceToDevice, context.stream));
    DLCORE_CUDA_CHECK(cudaEventRecord(slot.consumed, context.stream));
  }

 private:
  struct Slot {
    void* host = nullptr;
    std::byte* staging = nullptr;
    cudaEvent_t copied = nullptr, consumed = nullptr;
    bool used = false;
  };

  void release() noexcept {
    for (Slot& slot : slots_) {
      if (slot.used) device_.note(cudaEventSynchronize(slot.copied));
      if (slot.host) device_.note(cudaFreeHost(slot.host));
      if (slot.staging) device_.free(slot.staging, bytes_);
      if (slot.copied) device_.note(cudaEventDestroy(slot.copied));
      if (slot.consumed) device_.note(cudaEventDestroy(slot.consumed));
      slot = {};
    }
  }

  CudaDevice& device_;
  std::size_t bytes_;
  Slot slots_[2];
  int turn_ = 0;
};

class GraphRecording : public Recording {
 public:
  GraphRecording(CudaDevice& device, cudaGraph_t graph) : device_(device) {
    DLCORE_CUDA_CHECK(cudaGraphInstantiate(&graph_, graph, 0));
  }
  ~GraphRecording() override {
    device_.note(cudaStreamSynchronize(stream_));  // it may be running
    device_.note(cudaGraphExecDestroy(graph_));
  }
  void replay() override {
    stream_ = device_.use().stream;
    DLCORE_CUDA_CHECK(cudaGraphLaunch(graph_, stream_));
  }

 private:
  CudaDevice& device_;
  cudaGraphExec_t graph_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

bool graphs_are_on() {
  const char* wanted = std::getenv("DLCORE_CUDA_GRAPHS");
  return !wanted || std::string_view(wanted) != "0";
}

}  // namespace

CudaDevice::CudaDevice(int index) : Device("gpu:" + std::to_string(index)), index_(index) {}

void CudaDevice::set_up() {
  DLCORE_CUDA_CHECK(cudaStreamCreateWithFlags(&context_.stream, cudaStreamNonBlocking));
  DLCORE_CUDA_CHECK(cudaStreamCreateWithFlags(&copy_stream_, cudaStreamNonBlocking));
  DLCORE_CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool_, index_));
  std::uint64_t keep_all = UINT64_MAX;
  DLCORE_CUDA_CHECK(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all));
  DLCORE_CUDA_CHECK(cublasLtCreate(&context_.cublaslt));
  DLCORE_CUDA_CHECK(cudnnCreate(&context_.cudnn));
  DLCORE_CUDA_CHECK(cudnnSetStream(context_.cudnn, context_.stream));
  std::size_t free = 0, total = 0;
  DLCORE_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  context_.workspace_bytes = std::min(kMostWorkspaceBytes, total / 64);
  DLCORE_CUDA_CHECK(cudaMalloc(&context_.workspace, context_.workspace_bytes));
  context_.column_bytes = kColumnBytes;
  void *host = nullptr, *there = nullptr;
  DLCORE_CUDA_CHECK(cudaHostAlloc(&host, sizeof(FaultRecord), cudaHostAllocMapped));
  DLCORE_CUDA_CHECK(cudaHostGetDevicePointer(&there, host, 0));
  void* flag = nullptr;
  DLCORE_CUDA_CHECK(cudaMalloc(&flag, sizeof(int)));
  DLCORE_CUDA_CHECK(cudaMemsetAsync(flag, 0, sizeof(int), context_.stream));
  faults_.use(static_cast<FaultRecord*>(host), static_cast<FaultRecord*>(there), static_cast<int*>(flag));
  context_.faults = &faults_;
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&context_.sm_count, cudaDevAttrMultiProcessorCount, index_));
  int shared_bytes = 0;
  DLCORE_CUDA_CHECK(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, index_));
  context_.shared_bytes = static_cast<std::size_t>(shared_bytes);
}

const Context& CudaDevice::use() {
  int current = -1;
  DLCORE_CUDA_CHECK(cudaGetDevice(&current));
  if (current != index_) DLCORE_CUDA_CHECK(cudaSetDevice(index_));
  std::call_once(is_set_up_, [this] { set_up(); });
  if (noted_.load(std::memory_order_relaxed) != cudaSuccess) check(noted_.exchange(cudaSuccess), "an earlier call");
  return context_;
}

void CudaDevice::note(cudaError_t code) noexcept {
  if (code != cudaSuccess) noted_ = code;
}

std::string CudaDevice::description() const {
  cudaDeviceProp properties;
  int driver = 0;
  DLCORE_CUDA_CHECK(cudaGetDeviceProperties(&properties, index_));
  DLCORE_CUDA_CHECK(cudaDriverGetVersion(&driver));
  return str(properties.name, ", ", properties.multiProcessorCount, " multiprocessors of compute capability ",
             properties.major, ".", properties.minor, ", ", properties.totalGlobalMem >> 20, " MiB, driver for CUDA ",
             driver / 1000, ".", driver % 1000 / 10, ", cuDNN ", cudnnGetVersion());
}

// ---- memory

std::byte* CudaDevice::allocate(std::size_t bytes) {
  const cudaStream_t stream = use().stream;
  void* data = nullptr;
  cudaError_t code = cudaMallocAsync(&data, bytes ? bytes : 1, stream);
  if (code == cudaErrorMemoryAllocation) {  // the pool may hold what lies between blocks in use
    static_cast<void>(cudaGetLastError());
    DLCORE_CUDA_CHECK(cudaStreamSynchronize(stream));
    DLCORE_CUDA_CHECK(cudaMemPoolTrimTo(pool_, 0));
    code = cudaMallocAsync(&data, bytes, stream);
  }
  if (code == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    throw out_of_memory(*this, bytes);
  }
  check(code, "cudaMallocAsync");
  return static_cast<std::byte*>(data);
}

void CudaDevice::free(std::byte* data, std::size_t) noexcept { note(cudaFreeAsync(data, context_.stream)); }

std::size_t CudaDevice::free_bytes() {
  use();
  std::size_t free = 0, total = 0;
  std::uint64_t reserved = 0, used = 0;
  DLCORE_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  DLCORE_CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved));
  DLCORE_CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used));
  return free + static_cast<std::size_t>(reserved - used);
}

// From pageable memory, CUDA has read the bytes when it returns.
void CudaDevice::upload(std::byte* to, const std::byte* from, std::size_t bytes) {
  const cudaStream_t stream = use().stream;
  if (bytes) DLCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
}

void CudaDevice::download(std::byte* to, const std::byte* from, std::size_t bytes) {
  const cudaStream_t stream = use().stream;
  if (bytes) DLCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream));
  synchronize();
}

void CudaDevice::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  const cudaStream_t stream = use().stream;
  if (bytes && to != from) DLCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream));
}

void CudaDevice::assign(std::byte* to, const std::byte* from, std::size_t bytes) {
  const Context& context = use();
  copy_guarded(context.stream, faults_.guard(true), from, to, bytes);
}

void CudaDevice::synchronize() {
  const cudaStream_t stream = use().stream;
  DLCORE_CUDA_CHECK(cudaStreamSynchronize(stream));
  faults_.check(stream);
}

// ---- kernels

bool CudaDevice::has_kernel(const Primitive& op) const { return find_kernel(op.name) != nullptr; }

Kernel CudaDevice::plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                        const Attrs& attrs) {
  use();
  context_.precision = precision() == Precision::Tf32 ? Context::Precision::tf32 : Context::Precision::highest;
  return (*find_kernel(op.name))(in, out, attrs, context_);
}

// ---- batches and whole programs

std::unique_ptr<Uploader> CudaDevice::uploader(std::size_t bytes) {
  return std::make_unique<PinnedUploader>(*this, bytes);
}

void CudaDevice::gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count,
                        DType dtype, std::byte* to) {
  const std::size_t row_bytes = static_cast<std::size_t>(source.row_elements) * size_of(dtype);
  if (!order && source.dtype == dtype)
    return copy(to, source.data + static_cast<std::size_t>(first) * row_bytes,
                static_cast<std::size_t>(count) * row_bytes);
  gather_rows(source, order, first, count, dtype, to, use().stream);
}

std::unique_ptr<Recording> CudaDevice::record(const std::function<void()>& run) {
  static const bool on = graphs_are_on();
  if (!on) return nullptr;
  const cudaStream_t stream = use().stream;
  cudaGraph_t graph = nullptr;
  DLCORE_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  try {
    run();
  } catch (...) {
    note(cudaStreamEndCapture(stream, &graph) == cudaSuccess ? cudaGraphDestroy(graph) : cudaSuccess);
    throw;
  }
  DLCORE_CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
  std::unique_ptr<Recording> recording;
  try {
    recording = std::make_unique<GraphRecording>(*this, graph);
  } catch (...) {
    note(cudaGraphDestroy(graph));
    throw;
  }
  DLCORE_CUDA_CHECK(cudaGraphDestroy(graph));
  return recording;
}

}  // namespace dlcore::cuda
