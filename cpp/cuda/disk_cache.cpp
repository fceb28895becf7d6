#include "cuda/disk_cache.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dlcore/error.h"

namespace dlcore::cuda {

namespace {

namespace fs = std::filesystem;

std::string hash_of(const std::string& text) { return str(std::hex, std::hash<std::string>{}(text)); }

/// Where a key's file lies; empty without a folder.
fs::path file_of(const std::string& kind, const std::string& key) {
  fs::path folder;
  if (const char* given = std::getenv("DLCORE_CUDA_CACHE"))
    folder = given;
  else if (const char* cache = std::getenv("XDG_CACHE_HOME"))
    folder = fs::path(cache) / "dlcore" / "cuda";
  else if (const char* home = std::getenv("HOME"))
    folder = fs::path(home) / ".cache" / "dlcore" / "cuda";
  return folder.empty() ? folder : folder / str(hash_of(key), '.', kind);
}

/// What a file has in front of its content: the key, as two may have one hash, and what tells a damaged file.
std::string head_of(const std::string& key, const std::string& content) {
  return str(key, '\0', hash_of(content), '\n');
}

}  // namespace

std::string read_cached(const std::string& kind, const std::string& key) {
  std::ifstream in(file_of(kind, key), std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  const std::size_t line = file.find('\n', key.size());
  if (line == std::string::npos) return "";
  const std::string content = file.substr(line + 1);
  return file.starts_with(head_of(key, content)) ? content : "";
}

void write_cached(const std::string& kind, const std::string& key, const std::string& content) {
  const fs::path file = file_of(kind, key);
  if (file.empty()) return;
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  const fs::path part = str(file.string(), '.', getpid());
  {
    std::ofstream out(part, std::ios::binary);
    out << head_of(key, content) << content;
    if (!out.flush()) return void(fs::remove(part, ignored));
  }
  fs::rename(part, file, ignored);
}

}  // namespace dlcore::cuda
