#include "program/freed_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes)
#endif

namespace dlcore {

template <class Condition>
void FreedBuffers::drop_while(const Condition& more) {
  while (!buffers_.empty() && more()) {
    ASAN_UNPOISON_MEMORY_REGION(buffers_.front().data, buffers_.front().bytes);
    std::free(buffers_.front().data);
    total_ -= buffers_.front().bytes;
    buffers_.pop_front();
  }
}

std::byte* FreedBuffers::take(std::size_t bytes) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return nullptr;
  // The newest: its pages may still be in the cache.
  const auto found =
      std::find_if(buffers_.rbegin(), buffers_.rend(), [=](const Buffer& buffer) { return buffer.bytes == bytes; });
  if (found == buffers_.rend()) {
    const std::size_t before = total_;
    drop_while([&] { return total_ > kSpare && before - total_ < bytes; });
    return nullptr;
  }
  std::byte* const data = found->data;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  total_ -= bytes;
  buffers_.erase(std::next(found).base());
  return data;
}

void FreedBuffers::keep(std::byte* data, std::size_t bytes) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || bytes > kMost) return std::free(data);
#ifdef MADV_FREE
  if (bytes >= kHugeBuffer) madvise(data, bytes, MADV_FREE);
#endif
  try {
    buffers_.push_back({data, bytes});
  } catch (const std::bad_alloc&) {
    return std::free(data);
  }
  ASAN_POISON_MEMORY_REGION(data, bytes);
  total_ += bytes;
  drop_while([&] { return total_ > kMost; });
}

void FreedBuffers::clear() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock) drop_while([] { return true; });
}

}  // namespace dlcore
