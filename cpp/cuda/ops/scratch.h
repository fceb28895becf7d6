// Consecutive pieces of a kernel's scratch, each 256-byte aligned as far as the scratch itself is.
#pragma once

#include <cstddef>

#include "program/primitive.h"

namespace dlcore::cuda {

inline const void* moved(const void* pointer, std::size_t bytes) {
  return static_cast<const std::byte*>(pointer) + bytes;
}
inline void* moved(void* pointer, std::size_t bytes) { return static_cast<std::byte*>(pointer) + bytes; }

class ScratchPlan {
 public:
  std::size_t add(std::size_t bytes) {
    const std::size_t offset = bytes_;
    bytes_ += (bytes + 255) / 256 * 256;
    return offset;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

template <class T = void>
T* at(const Buffers& buffers, std::size_t offset) {
  return static_cast<T*>(moved(buffers.scratch, offset));
}

}  // namespace dlcore::cuda
