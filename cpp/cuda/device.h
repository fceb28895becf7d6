// One NVIDIA GPU as a Device: one stream, memory from its pool in the stream's order, runs captured as CUDA graphs.
#pragma once

#include <atomic>
#include <mutex>

#include "cuda/context.h"
#include "program/device.h"

namespace dlcore::cuda {

class CudaDevice final : public Device {
 public:
  /// The GPU with this index among those that the driver shows. Nothing is set up on it until it is used.
  explicit CudaDevice(int index);

  std::string description() const override;

  std::byte* allocate(std::size_t bytes) override;
  void free(std::byte* data, std::size_t bytes) noexcept override;
  std::size_t free_bytes() override;
  void upload(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void download(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void assign(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void synchronize() override;

  bool has_kernel(const Primitive& op) const override;
  Kernel plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
              const Attrs& attrs) override;

  std::unique_ptr<Uploader> uploader(std::size_t bytes) override;
  void gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
              std::byte* to) override;
  std::unique_ptr<Recording> record(const std::function<void()>& run) override;

  /// Makes it the thread's GPU, ready to be used, and throws what a call without a way to throw has met.
  const Context& use();
  /// Where batches are copied to the GPU beside the work of the stream.
  cudaStream_t copy_stream() const { return copy_stream_; }
  /// Keeps a code for use() to throw.
  void note(cudaError_t code) noexcept;

 private:
  void set_up();

  int index_;
  std::once_flag is_set_up_;
  Context context_{};
  cudaStream_t copy_stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  Faults faults_;
  std::atomic<cudaError_t> noted_{cudaSuccess};
};

}  // namespace dlcore::cuda
