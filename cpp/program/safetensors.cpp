#include "program/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>

#include "program/json.h"

namespace dlcore {

namespace {

constexpr std::size_t kMaxHeaderBytes = 100u << 20;
constexpr std::uint32_t kZipMagic = 0x04034b50;  // "PK\3\4"

struct Name {
  DType dtype;
  const char* name;
};
constexpr std::array kNames{Name{DType::Bool, "BOOL"}, Name{DType::U8, "U8"},   Name{DType::I8, "I8"},
                            Name{DType::I32, "I32"},   Name{DType::I64, "I64"}, Name{DType::F16, "F16"},
                            Name{DType::BF16, "BF16"}, Name{DType::F32, "F32"}, Name{DType::F64, "F64"}};

const char* container_name(DType dtype) {
  for (const Name& entry : kNames)
    if (entry.dtype == dtype) return entry.name;
  return "";
}

DType container_dtype(const std::string& name) {
  for (const Name& entry : kNames)
    if (name == entry.name) return entry.dtype;
  throw value_error("its dtype '", name, "' is not known");
}

/// A file to be read, closed with its owner.
class File {
 public:
  explicit File(const std::string& path) : File(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::size_t size() const {
    struct stat info;
    if (::fstat(fd_, &info) != 0) fail("can't read");
    return static_cast<std::size_t>(info.st_size);
  }
  void read(void* to, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t n = ::read(fd_, static_cast<char*>(to) + done, bytes - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("can't read");
      if (n == 0) throw value_error("'", path_, "' is truncated.");
      done += static_cast<std::size_t>(n);
    }
  }

 protected:
  File(const std::string& path, int fd) : path_(path), fd_(fd) {
    if (fd_ < 0) fail("can't open");
  }
  [[noreturn]] void fail(const char* what) const { throw io_error(what, " '", path_, "': ", std::strerror(errno)); }

  std::string path_;
  int fd_;
};

/// The bytes of a file that is in memory.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  void read(void* to, std::size_t bytes) {  // no more than there are
    if (bytes > 0) std::memcpy(to, bytes_.data(), bytes);
    bytes_ = bytes_.subspan(bytes);
  }

 private:
  std::span<const std::byte> bytes_;
};

/// A new file, which takes the place of `path` once it is whole. Until then it has a name of its own beside it, and
/// what fails leaves nothing behind.
class NewFile : public File {
 public:
  explicit NewFile(const std::string& path) : NewFile(path, std::string()) {}
  ~NewFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(const void* from, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t n = ::write(fd_, static_cast<const char*>(from) + done, bytes - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail("can't write");
      done += static_cast<std::size_t>(n);
    }
  }
  void finish() {
    if (::fsync(fd_) != 0) fail("can't write");
    if (::close(std::exchange(fd_, -1)) != 0) fail("can't write");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("can't replace");
    temporary_.clear();
  }

 private:
  NewFile(const std::string& path, std::string name) : File(path, create(path, name)), temporary_(std::move(name)) {}

  // A name may be taken: by a process of the same number in another container, or one that did not come to its end.
  static int create(const std::string& path, std::string& name) {
    static std::atomic<unsigned> files{0};
    for (;;) {
      name = str(path, ".", ::getpid(), ".", files++, ".tmp");
      const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0 || errno != EEXIST) return fd;
    }
  }

  std::string temporary_;
};

TensorSpec spec_of(const Json& entry) {
  const TensorSpec spec{container_dtype(entry.at("dtype").get<std::string>()), shape_of(entry.at("shape"))};
  if (!spec.shape.known()) throw value_error("it has a negative size");
  return spec;
}

// `name` is the file's in messages.
template <class Source>
TensorFile read_from(Source& file, const std::string& name) {
  const std::size_t size = file.size();
  std::uint64_t header_bytes = 0;
  if (size < sizeof(header_bytes)) throw value_error(name, " is not a safetensors file: it has only ", size, " bytes.");
  file.read(&header_bytes, sizeof(header_bytes));
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - sizeof(header_bytes)) {
    if (static_cast<std::uint32_t>(header_bytes) == kZipMagic)
      throw value_error(name, " is a zip archive, as model.save writes it. C++ reads what model.export writes.");
    throw value_error(name, " is not a whole safetensors file: its header would have ", header_bytes, " of ", size,
                      " bytes.");
  }
  std::string text(header_bytes, '\0');
  file.read(text.data(), text.size());
  const std::size_t data_bytes = size - sizeof(header_bytes) - header_bytes;

  TensorFile result;
  std::string entry_name = "header";
  try {
    const Json header = parse_json(text);
    std::size_t offset = 0;
    for (const auto& [key, entry] : header.items()) {
      entry_name = key;
      if (key == "__metadata__") {
        result.metadata = entry.template get<std::map<std::string, std::string>>();
        continue;
      }
      const TensorSpec spec = spec_of(entry);
      const auto begin = static_cast<std::size_t>(integer_of(entry.at("data_offsets").at(0))),
                 end = static_cast<std::size_t>(integer_of(entry.at("data_offsets").at(1)));
      if (begin != offset || end < begin || end > data_bytes || end - begin != spec.bytes())
        throw value_error("its bytes [", begin, ", ", end, ") do not fit ", spec, " in a file of ", data_bytes,
                          " data bytes");
      Tensor tensor = Tensor::empty(spec.dtype, spec.shape);
      file.read(tensor.bytes(), end - begin);
      result.tensors.emplace_back(key, std::move(tensor));
      offset = end;
    }
    if (offset != data_bytes) throw value_error("there are ", data_bytes - offset, " bytes that belong to no tensor");
  } catch (const Json::exception& error) {
    throw value_error(name, " has a broken entry '", entry_name, "': ", error.what());
  } catch (const Error& error) {
    throw Error(error.kind(), str(name, ", entry '", entry_name, "': ", error.what(), "."));
  }
  return result;
}

}  // namespace

TensorFile read_safetensors(const std::string& path) {
  File file(path);
  return read_from(file, "'" + path + "'");
}

TensorFile read_safetensors(std::span<const std::byte> bytes) {
  Bytes file(bytes);
  return read_from(file, kInMemory);
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const std::size_t bytes = tensor.spec().bytes();
    header[name] = {{"dtype", container_name(tensor.dtype())},
                    {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the tensors begin at a multiple of 8 bytes

  NewFile out(path);
  const std::uint64_t header_bytes = text.size();
  out.write(&header_bytes, sizeof(header_bytes));
  out.write(text.data(), text.size());
  for (const auto& [name, tensor] : file.tensors) out.write(tensor.bytes(), tensor.spec().bytes());
  out.finish();
}

}  // namespace dlcore
