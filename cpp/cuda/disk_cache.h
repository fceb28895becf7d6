// What takes long to make and is the same in every process, kept in files from one to the next: compiled kernels,
// cuDNN's plans. They lie in DLCORE_CUDA_CACHE, else in dlcore/cuda below the user's cache folder.
#pragma once

#include <string>

namespace dlcore::cuda {

/// What was kept under the key, which tells all that the content depends on; empty where there is nothing, or a file
/// that is damaged. kind: the files' extension.
std::string read_cached(const std::string& kind, const std::string& key);
/// Keeps it. The file appears as a whole; that none can be written is no error.
void write_cached(const std::string& kind, const std::string& key, const std::string& content);

}  // namespace dlcore::cuda
