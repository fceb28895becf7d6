// Large host buffers that were freed and wait for a request of their size: fetching fresh pages from the system, which
// clears them, takes longer than most kernels that fill them.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>

namespace dlcore {

/// From this size on malloc may give memory back to the system: such buffers are kept.
inline constexpr std::size_t kLargeBuffer = 128 << 10;
/// From this size on buffers are of huge pages.
inline constexpr std::size_t kHugePage = 2 << 20, kHugeBuffer = 2 * kHugePage;

/// A program never has more than kSpare bytes more than it used at once: beyond those, buffers of other sizes go before
/// new ones are made. While they wait, the system may take huge ones' pages when it is short of memory.
class FreedBuffers {
 public:
  static constexpr std::size_t kSpare = std::size_t{64} << 20, kMost = std::size_t{512} << 20;

  /// A buffer of exactly so many bytes, or null: the caller makes one.
  std::byte* take(std::size_t bytes);
  /// Owns the buffer from now on, made by std::aligned_alloc.
  void keep(std::byte* data, std::size_t bytes);
  void clear();
  /// Of all that wait.
  std::size_t bytes() const { return total_; }

 private:
  struct Buffer {
    std::byte* data;
    std::size_t bytes;
  };
  /// Frees the oldest while `more()`.
  template <class Condition>
  void drop_while(const Condition& more);

  // Never waited for, so that a forked child is not stuck with a lock of another thread of its parent.
  std::mutex mutex_;
  std::deque<Buffer> buffers_;  // the oldest first
  std::size_t total_ = 0;
};

}  // namespace dlcore
