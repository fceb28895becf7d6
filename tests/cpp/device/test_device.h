// A device for tests on machines that have none: its memory is set apart from the host's, its work is queued and runs
// when someone waits for it, and its kernels are the processor's, or given. What a real device would forbid is an error
// here.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "program/device.h"

namespace dlcore::testing {

class TestDevice : public Device {
 public:
  explicit TestDevice(std::string name = "gpu:0") : Device(std::move(name)) {}
  ~TestDevice() override { finish(); }

  // ---- what it is told to be like
  std::size_t memory_bytes = std::size_t{1} << 32;
  std::set<std::string> without;  // primitives that it has no kernel for
  bool can_record = true;
  bool lost = false;

  // ---- what happened
  struct Counts {
    std::int64_t uploads = 0, downloads = 0, copies = 0, gathers = 0, kernels = 0;  // enqueued, but for replays
    std::int64_t allocations = 0, waits = 0, uploader_waits = 0, recordings = 0, replays = 0;
  };
  Counts counts;
  std::size_t used_bytes() const { return used_bytes_; }
  bool owns(const void* data) const { return find(data, 0) != nullptr; }

  std::string description() const override { return "a test device: the processor's kernels, memory of its own"; }
  std::byte* allocate(std::size_t bytes) override;
  void free(std::byte* data, std::size_t bytes) noexcept override;
  std::size_t free_bytes() override { return memory_bytes - used_bytes_; }
  void upload(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void download(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void assign(std::byte* to, const std::byte* from, std::size_t bytes) override;
  void synchronize() override;
  bool has_kernel(const Primitive& op) const override { return !without.contains(op.name); }
  Kernel plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
              const Attrs& attrs) override;
  bool updates_from_products() const override { return true; }
  std::unique_ptr<Uploader> uploader(std::size_t bytes) override;
  void gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
              std::byte* to) override;
  std::unique_ptr<Recording> record(const std::function<void()>& run) override;

 protected:
  /// The kernel that runs on this device's memory, as the device sees it.
  virtual Kernel plan_inside(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                             const Attrs& attrs) {
    Kernel kernel = op.plan(in, out, attrs);
    kernel.has_guard = true;
    kernel.run = [this, run = kernel.run](const dlcore::Buffers& b) {
      if (!b.guarded || !has_fault()) run(b);
    };
    return kernel;
  }
  /// Whether a kernel that has run failed, and nobody knows yet.
  virtual bool has_fault() const { return failure_ != nullptr; }
  /// Throws what kernels have reported without throwing.
  virtual void check_faults() {}

 private:
  friend class TestUploader;
  friend class TestRecording;

  struct Buffer {
    const void* data;
    std::size_t bytes;
  };
  struct Work {
    std::function<void()> run;
    std::vector<Buffer> buffers;  // what it uses
  };
  struct Allocation {
    std::byte* memory;
    std::size_t bytes;
  };

  void enqueue(Work work);
  /// Runs what is queued; throws what went wrong in it.
  void wait();
  void finish() noexcept;
  void expect_not_recording(const char* what) const;
  void expect_present() const;
  const Allocation* find(const void* data, std::size_t bytes) const;

  std::map<std::uintptr_t, Allocation> allocations_;  // by the address that the host is given
  std::size_t used_bytes_ = 0;
  std::deque<Work> queue_;
  std::exception_ptr failure_;  // what went wrong first in what has run
  std::vector<Work>* recording_ = nullptr;
};

}  // namespace dlcore::testing
