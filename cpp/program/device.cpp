#include "program/device.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <mutex>

#include "dlcore/version.h"
#include "program/feed.h"
#include "program/freed_buffers.h"

namespace dlcore {

namespace {

// ------------------------------------------------------------------------------------------------------- the processor

class HostUploader : public Uploader {
 public:
  explicit HostUploader(std::size_t bytes) : buffer_(bytes) {}
  std::byte* next() override { return buffer_.data(); }
  void send(std::byte* to) override { std::memcpy(to, buffer_.data(), buffer_.size()); }

 private:
  std::vector<std::byte> buffer_;
};

/// Huge buffers are fetched from the system, and found by the processor, in fewer pieces.
void prefer_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish: where it can't be, nothing is lost
#endif
}

class Processor final : public Device {
 public:
  Processor() : Device("cpu:0") {}
  std::string description() const override { return "the processor"; }
  bool is_host() const override { return true; }

  std::byte* allocate(std::size_t bytes) override {
    const std::size_t whole = whole_bytes(bytes);
    if (bytes < kLargeBuffer) return allocated(bytes, whole, 64);
    if (std::byte* const freed = freed_.take(whole)) return freed;
    if (bytes < kHugeBuffer) return allocated(bytes, whole, 64);
    std::byte* const data = allocated(bytes, whole, kHugePage);
    prefer_huge_pages(data, bytes);
    return data;
  }
  void free(std::byte* data, std::size_t bytes) noexcept override {
    if (bytes < kLargeBuffer) return std::free(data);
    freed_.keep(data, whole_bytes(bytes));
  }
  std::size_t free_bytes() override { return SIZE_MAX; }
  std::size_t alignment() const override { return 64; }
  void upload(std::byte* to, const std::byte* from, std::size_t bytes) override { copy(to, from, bytes); }
  void download(std::byte* to, const std::byte* from, std::size_t bytes) override { copy(to, from, bytes); }
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override { std::memmove(to, from, bytes); }
  void assign(std::byte* to, const std::byte* from, std::size_t bytes) override { copy(to, from, bytes); }
  void synchronize() override {}

  bool has_kernel(const Primitive& op) const override { return op.plan != nullptr; }
  Kernel plan(const Primitive& op, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
              const Attrs& attrs) override {
    const bool is_empty = std::all_of(out.begin(), out.end(), [](const TensorSpec& y) { return y.bytes() == 0; });
    if (is_empty && !op.meets_processes) return {.run = [](const Buffers&) {}, .label = "nothing"};
    return op.plan(in, out, attrs);
  }
  bool updates_from_products() const override { return true; }
  bool sums_beside_work() const override { return false; }

  std::unique_ptr<Uploader> uploader(std::size_t bytes) override { return std::make_unique<HostUploader>(bytes); }
  void gather(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
              std::byte* to) override {
    gather_rows(source, order, first, count, dtype, to);
  }
  std::unique_ptr<Recording> record(const std::function<void()>&) override { return nullptr; }

 private:
  /// Room for whole vectors at the end, and never a null pointer. The sizes of kept buffers are fewer.
  static std::size_t whole_bytes(std::size_t bytes) {
    const std::size_t unit = bytes < kLargeBuffer ? 64 : bytes < kHugeBuffer ? 4096 : kHugePage;
    return (bytes + 64 + unit - 1) / unit * unit;
  }
  std::byte* allocated(std::size_t bytes, std::size_t whole, std::size_t alignment) {
    void* data = whole < bytes ? nullptr : std::aligned_alloc(alignment, whole);
    if (!data && whole > bytes) {
      freed_.clear();
      data = std::aligned_alloc(alignment, whole);
    }
    if (!data) throw Error(ErrorKind::OutOfMemory, str("Out of memory: ", bytes, " bytes were asked for."));
    return static_cast<std::byte*>(data);
  }

  FreedBuffers freed_;
};

// --------------------------------------------------------------------------------------------------------- the plug-in

constexpr const char* kPlugin = "libdlcore_cuda.so";

// The library or program that this code is linked into. A program bears the name that it was called by, which may have
// been looked up in PATH, or mean another file since the working directory has changed.
std::filesystem::path own_file() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&own_file), &info);
  const std::filesystem::path file = info.dli_fname ? info.dli_fname : "";
  std::error_code error;
  if (file.is_absolute() || std::filesystem::exists(file, error)) return file;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

struct Plugin {
  std::vector<std::unique_ptr<Device>> devices;
  std::string reason;  // why there are none
};

// A plug-in uses the core that loads it. Python opens modules without showing their symbols to others, so the core
// opens itself again, with its symbols shown.
void* open_plugin(const std::filesystem::path& file) {
  dlopen(own_file().c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
  return dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
}

Plugin load_plugin() {
  const char* named = std::getenv("DLCORE_CUDA_PLUGIN");
  const std::filesystem::path file =
      named && *named ? std::filesystem::path(named) : own_file().parent_path() / kPlugin;
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    return {{},
            named && *named ? str("DLCORE_CUDA_PLUGIN names ", file.string(), ", and there is no such file.")
                            : "The plug-in for NVIDIA GPUs is not installed: pip install \"dlcore[cuda13]\"."};
  void* library = open_plugin(file);
  if (!library)
    return {{},
            str("The plug-in for NVIDIA GPUs can't be loaded: ", dlerror(),
                ". NVIDIA's libraries come with: pip install \"dlcore[cuda13]\".")};
  const auto plugin_devices = reinterpret_cast<PluginDevices>(dlsym(library, "dlcore_plugin_devices"));
  if (!plugin_devices) return {{}, str(file.string(), " is no plug-in of dlcore.")};
  Plugin plugin;
  try {
    plugin_devices(DLCORE_VERSION, plugin.devices);
    if (plugin.devices.empty()) plugin.reason = "The plug-in found no device.";
  } catch (const Error& problem) {
    plugin.devices.clear();
    plugin.reason = problem.what();
  }
  return plugin;
}

// Never destroyed: tensors that are freed at the end of the process give their memory back to their device.
const Plugin& plugin() {
  static const Plugin& loaded = *new Plugin(load_plugin());
  return loaded;
}

Device* find_device(std::string_view name) {
  if (name == "cpu" || name == cpu().name()) return &cpu();
  const auto& others = plugin().devices;
  if (name == "gpu" || name == "cuda") return others.empty() ? nullptr : others[0].get();
  std::string asked(name);
  if (asked.starts_with("cuda:")) asked.replace(0, 4, "gpu");
  for (const auto& other : others)
    if (other->name() == asked) return other.get();
  return nullptr;
}

Device& default_device() {
  const char* wanted = std::getenv("DLCORE_DEVICE");
  if (!wanted || !*wanted) return plugin().devices.empty() ? cpu() : *plugin().devices[0];
  if (Device* found = find_device(wanted)) return *found;
  std::cerr << "dlcore: DLCORE_DEVICE=" << wanted << ": there is no such device, the processor is used. "
            << no_device_reason() << std::endl;
  return cpu();
}

thread_local Device* scope_device = nullptr;
std::atomic<Precision> the_precision{Precision::Highest};

}  // namespace

Device& cpu() {
  static Device& processor = *new Processor;
  return processor;
}

std::vector<Device*> devices() {
  std::vector<Device*> all{&cpu()};
  for (const auto& other : plugin().devices) all.push_back(other.get());
  return all;
}

Device& device(std::string_view name) {
  if (Device* found = find_device(name)) return *found;
  std::string known;
  for (Device* one : devices()) known += (known.empty() ? "" : ", ") + one->name();
  const std::string reason = no_device_reason();
  throw value_error("There is no device '", name, "'. Devices: ", known, ".", reason.empty() ? "" : " ", reason);
}

std::string no_device_reason() { return plugin().reason; }

Device& current_device() {
  if (scope_device) return *scope_device;
  static Device& chosen = default_device();
  return chosen;
}

DeviceScope::DeviceScope(Device& device) : outer_(scope_device) { scope_device = &device; }
DeviceScope::~DeviceScope() { scope_device = outer_; }

Precision precision() { return the_precision; }
void set_precision(Precision precision) { the_precision = precision; }

void expect_kernels(const Device& device, std::span<const Primitive* const> ops) {
  std::string missing;
  for (const Primitive* op : ops)
    if (!op->is_alias && !device.has_kernel(*op) && missing.find("'" + op->name + "'") == std::string::npos)
      missing += (missing.empty() ? "'" : ", '") + op->name + "'";
  if (!missing.empty())
    throw Error(ErrorKind::NotImplemented, str(device.name(), " has no kernel for ", missing,
                                               ". Run this part on the processor: with dlcore.device(\"cpu\"): ..."));
}

std::vector<std::string> missing_kernels(const Device& device) {
  std::vector<std::string> names = primitive_names();
  std::erase_if(names, [&](const std::string& name) {
    const Primitive& op = primitive(name);
    return op.is_alias || op.processor_only || device.has_kernel(op);
  });
  return names;
}

Error out_of_memory(Device& device, std::size_t bytes) {
  return Error(ErrorKind::OutOfMemory, str("Out of memory on ", device.name(), ": ", bytes, " bytes were asked for, ",
                                           device.free_bytes(), " are free. Try a smaller batch."));
}

void expect_plugin_version(std::string_view core, std::string_view plugin) {
  if (core != plugin)
    throw Error(ErrorKind::Runtime, str("The plug-in for NVIDIA GPUs is of dlcore ", plugin, " and this is dlcore ",
                                        core, ": pip install --upgrade \"dlcore[cuda13]\"."));
}

}  // namespace dlcore
