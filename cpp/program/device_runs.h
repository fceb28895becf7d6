// A program's runs on a device that is not the host: nothing waits for the device, and a run that repeats is replayed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dlcore/program.h"
#include "program/executor.h"

namespace dlcore {

/// Inputs and outputs have buffers of their own on the device, so that runs differ only in what these hold. The second
/// run with the variables at the same addresses is recorded; it and those after it are replays.
class DeviceRuns {
 public:
  explicit DeviceRuns(Executor& executor) : executor_(executor), device_(executor.device()) {}

  std::vector<Tensor> run(std::span<const Tensor> inputs);
  /// Program::run_batches. Rows that have a storage and are few beside the device's free memory are kept there and
  /// gathered there; others are gathered by the host, into buffers from which the device takes them.
  std::int64_t run_batches(std::span<const Rows> sources, const Batches& batches, std::span<const Rows> results);

 private:
  class Feed;
  class Results;

  void bind();
  void step();

  Executor& executor_;
  Device& device_;
  std::vector<std::unique_ptr<Storage>> buffers_;
  std::vector<std::byte*> in_, out_;
  std::vector<std::unique_ptr<Uploader>> uploaders_;  // per input, where rows come from the host
  bool ran_ = false;                                  // with the variables where they are
  std::unique_ptr<Recording> recording_;
};

}  // namespace dlcore
