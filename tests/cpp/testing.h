// Small helpers of the kernel tests: data whose sums are exact, random data, buffers that notice writes beside them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/parallel.h"

namespace dlcore::testing {

/// Integers of [-4, 4]: products and sums of up to 2^20 of them are exact in float, in any order.
template <class T>
std::vector<T> small_integers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> numbers(static_cast<std::size_t>(count));
  for (T& x : numbers) x = static_cast<T>(static_cast<int>(random() % 9) - 4);
  return numbers;
}

/// Reals of [-1, 1).
template <class T>
std::vector<T> random_reals(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> numbers(static_cast<std::size_t>(count));
  for (T& x : numbers) x = static_cast<T>(random()) * static_cast<T>(0x1p-31) - 1;
  return numbers;
}

/// `count` elements, NaN at first where T has it, between two guards whose bytes are checked by untouched().
template <class T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::int64_t count)
      : count_(static_cast<std::size_t>(count)), bytes_(2 * kGuard + count_ * sizeof(T), kByte) {
    if constexpr (std::numeric_limits<T>::has_quiet_NaN)
      for (std::size_t i = 0; i < count_; ++i) data()[i] = std::numeric_limits<T>::quiet_NaN();
  }
  T* data() { return reinterpret_cast<T*>(bytes_.data() + kGuard); }
  T& operator[](std::int64_t i) { return data()[i]; }
  std::size_t size() const { return count_; }
  std::vector<T> copy() { return {data(), data() + count_}; }
  bool untouched() const {
    for (std::size_t i = 0; i < kGuard; ++i)
      if (bytes_[i] != kByte || bytes_[bytes_.size() - 1 - i] != kByte) return false;
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 256;
  static constexpr unsigned char kByte = 0xa5;
  std::size_t count_;
  std::vector<unsigned char> bytes_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// The number of threads while it lives.
class WithThreads {
 public:
  explicit WithThreads(int threads) : saved_(num_threads()) { set_num_threads(threads); }
  ~WithThreads() { set_num_threads(saved_); }

 private:
  int saved_;
};

/// Bound of the error of a sum of k products computed in T in any order, |a| <= max_a and |b| <= max_b: each of the k
/// products and k additions rounds once (Higham 2002, section 3.1).
template <class T>
double product_bound(std::int64_t k, double max_a = 1, double max_b = 1) {
  return std::numeric_limits<T>::epsilon() * static_cast<double>((k + 1) * k + 1) / 2 * max_a * max_b;
}

}  // namespace dlcore::testing
