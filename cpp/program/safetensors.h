// The safetensors container: a JSON header with names, dtypes, shapes and offsets, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dlcore/tensor.h"

namespace dlcore {

struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;
};

/// Every declared size is checked against the file before anything is allocated. Throws an Io error when the file can't
/// be read, a Value error that says what is wrong with its contents.
TensorFile read_safetensors(const std::string& path);
/// The same of a file's bytes in memory.
TensorFile read_safetensors(std::span<const std::byte> bytes);
/// What messages call those.
constexpr const char* kInMemory = "The file in memory";

/// Written to a temporary file beside `path`, flushed to disk, then moved to `path`: on a failure the old file stays
/// whole.
void write_safetensors(const std::string& path, const TensorFile& file);

}  // namespace dlcore
