#include "program/device_runs.h"

#include <algorithm>
#include <chrono>

#include "program/feed.h"

namespace dlcore {

namespace {

// Results are collected on the device up to so many bytes before the host waits for them.
constexpr std::size_t kCollectedBytes = 16 << 20;
// Of the device's free memory, the part that one array of the user's may take.
constexpr std::size_t kResidentPart = 4;

// Where the device has all the rows; null when they stay on the host.
std::byte* resident(const Rows& rows, Device& device) {
  if (!rows.storage) return nullptr;
  if (rows.storage->device() != &device && rows.storage->bytes() > device.free_bytes() / kResidentPart) return nullptr;
  try {
    return rows.storage->on(device);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::OutOfMemory) return nullptr;
    throw;
  }
}

}  // namespace

/// The rows of one input, batch by batch.
class DeviceRuns::Feed {
 public:
  Feed(DeviceRuns& runs, std::size_t input, const Rows& source, const Batches& batches, const std::int64_t* order)
      : device_(runs.device_), spec_(runs.executor_.inputs()[input]), source_(source), to_(runs.in_[input]) {
    if (std::byte* data = resident(source, device_)) {
      expect_rows(source, order, batches.first, batches.steps * spec_.shape[0]);
      source_.data = data;
    } else {
      auto& uploader = runs.uploaders_[input];
      if (!uploader) uploader = device_.uploader(spec_.bytes());
      uploader_ = uploader.get();
    }
  }

  /// `host_order` and `order` are the same rows, on the host and on the device.
  void put(const std::int64_t* host_order, const std::int64_t* order, std::int64_t first) {
    const std::int64_t batch = spec_.shape[0];
    if (!uploader_) return device_.gather(source_, order, first, batch, spec_.dtype, to_);
    gather_rows(source_, host_order, first, batch, spec_.dtype, uploader_->next());
    uploader_->send(to_);
  }

  bool is_resident() const { return !uploader_; }

 private:
  Device& device_;
  TensorSpec spec_;
  Rows source_;
  std::byte* to_;
  Uploader* uploader_ = nullptr;
};

/// The rows of one output, collected on the device and written to the host many batches at a time.
class DeviceRuns::Results {
 public:
  Results(DeviceRuns& runs, std::size_t output, const Rows& destination, const Batches& batches)
      : device_(runs.device_),
        spec_(runs.executor_.outputs()[output]),
        destination_(destination),
        from_(runs.out_[output]),
        first_(batches.first),
        kept_(std::clamp<std::int64_t>(
            static_cast<std::int64_t>(kCollectedBytes / std::max<std::size_t>(spec_.bytes(), 1)), 1, batches.steps)),
        collected_(spec_.bytes() * static_cast<std::size_t>(kept_), device_) {}

  void take() {
    device_.copy(collected_.on(device_) + static_cast<std::size_t>(count_) * spec_.bytes(), from_, spec_.bytes());
    if (++count_ == kept_) flush();
  }

  void flush() {
    if (count_ == 0) return;
    const std::int64_t rows = count_ * spec_.shape[0];
    std::vector<std::byte> host(static_cast<std::size_t>(count_) * spec_.bytes());
    device_.download(host.data(), collected_.on(device_), host.size());
    write_rows(destination_, first_, rows, spec_.dtype, host.data());
    first_ += rows;
    count_ = 0;
  }

 private:
  Device& device_;
  TensorSpec spec_;
  Rows destination_;
  std::byte* from_;
  std::int64_t first_;      // the row that the next result goes to
  std::int64_t kept_;       // batches that collected_ has room for
  std::int64_t count_ = 0;  // that it has
  Storage collected_;
};

void DeviceRuns::bind() {
  if (buffers_.empty()) {
    const auto reserve = [&](const Specs& specs, std::vector<std::byte*>& places) {
      for (const TensorSpec& spec : specs) {
        buffers_.push_back(std::make_unique<Storage>(spec.bytes(), device_));
        places.push_back(buffers_.back()->on(device_));
      }
    };
    try {
      reserve(executor_.inputs(), in_);
      reserve(executor_.outputs(), out_);
    } catch (...) {
      buffers_.clear(), in_.clear(), out_.clear();
      throw;
    }
    uploaders_.resize(in_.size());
  }
  if (!executor_.bind_variables()) return;
  recording_.reset();
  ran_ = false;
}

void DeviceRuns::step() {
  if (executor_.profiling()) return executor_.execute(in_, out_);
  if (!recording_ && ran_) recording_ = device_.record([&] { executor_.execute(in_, out_); });
  if (recording_) return recording_->replay();
  executor_.execute(in_, out_);
  ran_ = true;
}

std::vector<Tensor> DeviceRuns::run(std::span<const Tensor> inputs) {
  bind();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Storage& storage = *inputs[i].storage();
    const std::size_t bytes = inputs[i].spec().bytes();
    if (storage.device() == &device_)
      device_.copy(in_[i], storage.on(device_), bytes);
    else
      device_.upload(in_[i], storage.data(), bytes);
  }
  step();
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < out_.size(); ++i) {
    const TensorSpec& spec = executor_.outputs()[i];
    results.push_back(Tensor::empty(spec.dtype, spec.shape, device_));
    device_.copy(results.back().storage()->on(device_), out_[i], spec.bytes());
  }
  return results;
}

std::int64_t DeviceRuns::run_batches(std::span<const Rows> sources, const Batches& batches,
                                     std::span<const Rows> destinations) {
  bind();
  const std::int64_t* host_order = batches.order ? batches.order->data() : nullptr;
  std::vector<Feed> feeds;
  std::vector<std::unique_ptr<Results>> results;
  for (std::size_t i = 0; i < sources.size(); ++i) feeds.emplace_back(*this, i, sources[i], batches, host_order);
  for (std::size_t i = 0; i < destinations.size(); ++i)
    results.push_back(std::make_unique<Results>(*this, i, destinations[i], batches));

  // The part of the order that this call needs, where the device gathers.
  std::unique_ptr<Storage> order;
  const std::int64_t* device_order = nullptr;
  const bool any_resident = std::any_of(feeds.begin(), feeds.end(), [](const Feed& f) { return f.is_resident(); });
  if (host_order && any_resident) {
    std::int64_t batch = 1;
    for (const TensorSpec& spec : executor_.inputs()) batch = std::max(batch, spec.shape[0]);
    const std::size_t bytes = static_cast<std::size_t>(batches.steps * batch) * sizeof(std::int64_t);
    order = std::make_unique<Storage>(bytes, device_);
    device_.upload(order->on(device_), reinterpret_cast<const std::byte*>(host_order + batches.first), bytes);
    device_order = reinterpret_cast<const std::int64_t*>(order->on(device_)) - batches.first;
  }

  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::int64_t done = 0;
  while (done < batches.steps) {
    for (std::size_t i = 0; i < feeds.size(); ++i)
      feeds[i].put(host_order, device_order, batches.first + done * executor_.inputs()[i].shape[0]);
    step();
    for (auto& result : results) result->take();
    ++done;
    if (batches.seconds > 0 && std::chrono::duration<double>(Clock::now() - start).count() >= batches.seconds) break;
  }
  for (auto& result : results) result->flush();
  return done;
}

}  // namespace dlcore
