// Device: where tensors lie and what runs their kernels. The processor is one; others come from a plug-in, and the core
// knows nothing of them but this.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dlcore/program.h"
#include "program/primitive.h"

namespace dlcore {

/// Work of a device that was recorded once and is enqueued again as a whole.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// Host buffers in turn, through which batches stream to a device: one is filled while the device still reads the
/// other.
class Uploader {
 public:
  virtual ~Uploader() = default;
  /// The next buffer, to be filled; waits until the device has read what was in it.
  virtual std::byte* next() = 0;
  /// Enqueues the copy of the buffer that next() gave to the device's `to`.
  virtual void send(std::byte* to) = 0;
};

/// How float32 matrix products and convolutions are computed where a device has a choice: Tf32 rounds the factors to 10
/// bits of mantissa.
enum class Precision { Highest, Tf32 };

/// Work is enqueued in order and runs in that order, memory is freed in that order too; only synchronize, download and
/// Uploader::next wait. Every function may throw what went wrong before it. Devices live until the process ends.
class Device {
 public:
  explicit Device(std::string name) : name_(std::move(name)) {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Keras's name: "cpu:0", "gpu:0", ...
  const std::string& name() const { return name_; }
  /// What it is, for people, in one line.
  virtual std::string description() const = 0;
  /// Whether its memory is the host's and its work is done on return: true for the processor.
  virtual bool is_host() const { return false; }

  // ---- memory
  /// Throws OutOfMemory with the bytes asked for and those that are free.
  virtual std::byte* allocate(std::size_t bytes) = 0;
  /// Of as many bytes as were allocated.
  virtual void free(std::byte* data, std::size_t bytes) noexcept = 0;
  virtual std::size_t free_bytes() = 0;
  /// Of all buffers that kernels get, a power of two.
  virtual std::size_t alignment() const { return 256; }
  /// `from` is host memory, which may change once this has returned.
  virtual void upload(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  /// Waits until `to`, host memory, has the bytes.
  virtual void download(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  /// Within the device. The buffers don't overlap, or are the same.
  virtual void copy(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  /// copy to a variable: nothing behind a failure (Kernel::may_fail) that the host has yet to see.
  virtual void assign(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  virtual void synchronize() = 0;

  // ---- kernels
  virtual bool has_kernel(const Primitive& op) const = 0;
  /// Plans a node whose primitive has a kernel. Its buffers are this device's memory; run only enqueues.
  virtual Kernel plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                      const Attrs& attrs) = 0;
  /// Whether updates of optimizers may get a gradient as the factors of a product (their attribute "products").
  virtual bool updates_from_products() const { return false; }
  /// Whether sums over processes run beside other work: all_reduce_start and all_reduce_wait.
  virtual bool sums_beside_work() const { return true; }

  // ---- batches and whole programs
  virtual std::unique_ptr<Uploader> uploader(std::size_t bytes) = 0;
  /// gather_rows of feed.h with all in this device's memory; the rows are known to be there.
  virtual void gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count,
                      DType dtype, std::byte* to) = 0;
  /// Records what `run` enqueues instead of running it. Null when the device can't.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& run) = 0;

 private:
  std::string name_;
};

/// The processor.
Device& cpu();
/// The processor, then what the plug-in gave.
std::vector<Device*> devices();
/// The device of a name ("gpu" and "cuda" mean the first that a plug-in gave, "cpu" the processor). Throws a Value
/// error that lists the devices, and says why the plug-in gave none.
Device& device(std::string_view name);
/// Why there is no device but the processor: one line; empty when there is one.
std::string no_device_reason();

/// Where this thread computes: set by the innermost DeviceScope, else the default: what DLCORE_DEVICE names, else the
/// first device of a plug-in, else the processor.
Device& current_device();

class DeviceScope {
 public:
  explicit DeviceScope(Device& device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  Device* outer_;
};

/// For programs compiled from now on.
Precision precision();
void set_precision(Precision precision);

/// Throws NotImplemented, naming the primitives, when one of them has no kernel on the device.
void expect_kernels(const Device& device, std::span<const Primitive* const> ops);
/// Names of the primitives that programs may have for the device and that it can't run.
std::vector<std::string> missing_kernels(const Device& device);

/// The error for an allocation that failed.
Error out_of_memory(Device& device, std::size_t bytes);

/// What a plug-in, a shared library, exports as extern "C" dlcore_plugin_devices: adds its devices, or throws an Error
/// that says why there are none. `version` is the core's and must be the plug-in's own.
using PluginDevices = void (*)(const char* version, std::vector<std::unique_ptr<Device>>& devices);
void expect_plugin_version(std::string_view core, std::string_view plugin);

}  // namespace dlcore
