// Scratch that a kernel asked for, divided into buffers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dlcore {

/// Bytes of a buffer that begins and ends at a multiple of 64.
template <class T>
std::size_t bytes_of(std::int64_t elements) {
  return (static_cast<std::size_t>(elements) * sizeof(T) + 63) / 64 * 64;
}

/// Takes buffers off the front of the scratch.
class Scratch {
 public:
  explicit Scratch(void* bytes) : next_(static_cast<std::byte*>(bytes)) {}
  template <class T>
  T* take(std::int64_t elements) {
    std::byte* const taken = next_;
    next_ += bytes_of<T>(elements);
    return reinterpret_cast<T*>(taken);
  }

 private:
  std::byte* next_;
};

}  // namespace dlcore
