#include "device/test_device.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/parallel.h"
#include "program/feed.h"

namespace dlcore::testing {

namespace {

// The host gets addresses that lie this far from the memory: no program can read there, so it fails at once if it
// tries.
constexpr std::uintptr_t kShift = std::uintptr_t{1} << 46;

template <class T>
T* inside(T* address) {
  return address ? reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) - kShift) : nullptr;
}

}  // namespace

class TestUploader : public Uploader {
 public:
  TestUploader(TestDevice& device, std::size_t bytes) : device_(device) {
    for (Slot& slot : slots_) slot.data.resize(bytes);
  }
  ~TestUploader() override { device_.finish(); }

  std::byte* next() override {
    turn_ = 1 - turn_;
    if (slots_[turn_].is_read) {
      ++device_.counts.uploader_waits;
      device_.wait();
    }
    return slots_[turn_].data.data();
  }

  void send(std::byte* to) override {
    ++device_.counts.uploads;
    Slot& slot = slots_[turn_];
    slot.is_read = true;
    device_.enqueue({[&slot, to] {
                       std::memcpy(inside(to), slot.data.data(), slot.data.size());
                       std::memset(slot.data.data(), 0xff, slot.data.size());
                       slot.is_read = false;
                     },
                     {{to, slot.data.size()}}});
  }

 private:
  struct Slot {
    std::vector<std::byte> data;
    bool is_read = false;  // the device has yet to read it
  };
  TestDevice& device_;
  Slot slots_[2];
  int turn_ = 0;
};

class TestRecording : public Recording {
 public:
  explicit TestRecording(TestDevice& device) : device_(device) {}
  void replay() override {
    ++device_.counts.replays;
    for (const TestDevice::Work& item : work) device_.enqueue(item);
  }
  std::vector<TestDevice::Work> work;

 private:
  TestDevice& device_;
};

void TestDevice::expect_present() const {
  if (lost) throw Error(ErrorKind::Runtime, name() + " was lost. Start the process again.");
}

void TestDevice::expect_not_recording(const char* what) const {
  if (recording_) throw Error(ErrorKind::Runtime, std::string(what) + " while a run is recorded.");
}

const TestDevice::Allocation* TestDevice::find(const void* data, std::size_t bytes) const {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  auto at = allocations_.upper_bound(address);
  if (at == allocations_.begin()) return nullptr;
  --at;
  return address + bytes <= at->first + at->second.bytes ? &at->second : nullptr;
}

std::byte* TestDevice::allocate(std::size_t bytes) {
  expect_present();
  expect_not_recording("Memory is allocated");
  if (bytes > free_bytes()) throw out_of_memory(*this, bytes);
  ++counts.allocations;
  const std::size_t rounded = (bytes + 511) / 256 * 256;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(256, rounded));
  std::memset(memory, 0xff, rounded);  // NaN
  used_bytes_ += bytes;
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(memory) + kShift;
  allocations_[address] = {memory, bytes};
  return reinterpret_cast<std::byte*>(address);
}

// In order with the work: what is queued may still use the memory, what comes later may not.
void TestDevice::free(std::byte* data, std::size_t) noexcept {
  const auto at = allocations_.find(reinterpret_cast<std::uintptr_t>(data));
  used_bytes_ -= at->second.bytes;
  std::byte* memory = at->second.memory;
  allocations_.erase(at);
  queue_.push_back({[memory] { std::free(memory); }, {}});
}

void TestDevice::enqueue(Work work) {
  expect_present();
  for (const Buffer& buffer : work.buffers)
    if (buffer.data && !find(buffer.data, buffer.bytes))
      throw Error(ErrorKind::Runtime, str(buffer.bytes, " bytes that work was enqueued for are not this device's."));
  if (recording_)
    recording_->push_back(std::move(work));
  else
    queue_.push_back(std::move(work));
}

void TestDevice::wait() {
  const FlushDenormals flush;
  while (!queue_.empty()) {
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    try {
      work.run();
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  check_faults();
}

void TestDevice::finish() noexcept {
  try {
    wait();
  } catch (const Error&) {
  }
}

void TestDevice::synchronize() {
  expect_present();
  expect_not_recording("The host waits");
  ++counts.waits;
  wait();
}

void TestDevice::upload(std::byte* to, const std::byte* from, std::size_t bytes) {
  ++counts.uploads;
  enqueue({[to, held = std::vector<std::byte>(from, from + bytes)] {
             if (!held.empty()) std::memcpy(inside(to), held.data(), held.size());
           },
           {{to, bytes}}});
}

void TestDevice::download(std::byte* to, const std::byte* from, std::size_t bytes) {
  ++counts.downloads;
  enqueue({[=] { std::memcpy(to, inside(from), bytes); }, {{from, bytes}}});
  synchronize();
}

void TestDevice::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  ++counts.copies;
  enqueue({[=] { std::memmove(inside(to), inside(from), bytes); }, {{to, bytes}, {from, bytes}}});
}

void TestDevice::assign(std::byte* to, const std::byte* from, std::size_t bytes) {
  ++counts.copies;
  enqueue({[=, this] {
             if (!has_fault()) std::memmove(inside(to), inside(from), bytes);
           },
           {{to, bytes}, {from, bytes}}});
}

void TestDevice::gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count,
                        DType dtype, std::byte* to) {
  ++counts.gathers;
  const auto rows = static_cast<std::size_t>(source.row_elements);
  std::vector<Buffer> buffers{{source.data, static_cast<std::size_t>(source.rows) * rows * size_of(source.dtype)},
                              {to, static_cast<std::size_t>(count) * rows * size_of(dtype)}};
  if (order) buffers.push_back({order + first, static_cast<std::size_t>(count) * sizeof(std::int64_t)});
  enqueue({[=] {
             Rows here = source;
             here.data = inside(source.data);
             gather_rows(here, inside(order), first, count, dtype, inside(to));
           },
           buffers});
}

Kernel TestDevice::plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                        const Attrs& attrs) {
  Kernel kernel = plan_inside(op, in, out, attrs);
  std::vector<std::size_t> in_bytes, out_bytes;
  for (std::size_t i = 0; i < in.size(); ++i) in_bytes.push_back(reads_bytes(op, i) ? in[i].bytes() : 0);
  for (const TensorSpec& spec : out) out_bytes.push_back(spec.bytes());
  kernel.run = [this, in_bytes, out_bytes, scratch_bytes = kernel.scratch_bytes,
                run = kernel.run](const dlcore::Buffers& given) {
    ++counts.kernels;
    std::vector<Buffer> used;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (std::size_t i = 0; i < in_bytes.size(); ++i) {
      if (in_bytes[i]) used.push_back({given.in[i], in_bytes[i]});
      inputs.push_back(inside(given.in[i]));
    }
    for (std::size_t i = 0; i < out_bytes.size(); ++i) {
      used.push_back({given.out[i], out_bytes[i]});
      outputs.push_back(inside(given.out[i]));
    }
    if (scratch_bytes) used.push_back({given.scratch, scratch_bytes});
    enqueue({[=, guarded = given.guarded, scratch = inside(given.scratch)] {
               run({inputs.data(), outputs.data(), scratch, guarded});
             },
             used});
  };
  return kernel;
}

std::unique_ptr<Uploader> TestDevice::uploader(std::size_t bytes) {
  return std::make_unique<TestUploader>(*this, bytes);
}

std::unique_ptr<Recording> TestDevice::record(const std::function<void()>& run) {
  if (!can_record) return nullptr;
  ++counts.recordings;
  auto recording = std::make_unique<TestRecording>(*this);
  recording_ = &recording->work;
  try {
    run();
  } catch (...) {
    recording_ = nullptr;
    throw;
  }
  recording_ = nullptr;
  return recording;
}

}  // namespace dlcore::testing
