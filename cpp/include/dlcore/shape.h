// Sizes of a tensor's axes, outermost first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "dlcore/error.h"

namespace dlcore {

/// At most kMaxRank sizes, stored in place. kUnknown (-1) stands for a size that is not known yet (Keras's None).
class Shape {
 public:
  static constexpr int kMaxRank = 8;
  static constexpr std::int64_t kUnknown = -1;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes)
      : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes) {
    for (std::int64_t size : sizes) push_back(size);
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return sizes_[axis]; }
  std::int64_t& operator[](int axis) { return sizes_[axis]; }
  /// Size of an axis counted from the end: back(0) is the innermost.
  std::int64_t back(int from_end = 0) const { return sizes_[rank_ - 1 - from_end]; }
  const std::int64_t* begin() const { return sizes_; }
  const std::int64_t* end() const { return sizes_ + rank_; }

  void push_back(std::int64_t size) {
    if (rank_ == kMaxRank) throw value_error("A tensor has at most ", kMaxRank, " axes.");
    if (size < kUnknown) throw value_error("An axis has a size of at least 0; got ", size, ".");
    sizes_[rank_++] = size;
  }

  /// True when no size is unknown.
  bool known() const {
    for (std::int64_t size : *this)
      if (size == kUnknown) return false;
    return true;
  }

  /// Product of the sizes, kUnknown when one is unknown. Throws when it does not fit.
  std::int64_t elements() const { return product(0, rank_); }

  /// Product of the sizes of axes [first, last).
  std::int64_t product(int first, int last) const {
    std::int64_t total = 1;
    for (int axis = first; axis < last; ++axis) {
      if (sizes_[axis] == kUnknown) return kUnknown;
      if (__builtin_mul_overflow(total, sizes_[axis], &total))
        throw Error(ErrorKind::OutOfMemory, "A tensor of that shape has more elements than can be counted in 64 bits.");
    }
    return total;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int axis = 0; axis < a.rank_; ++axis)
      if (a.sizes_[axis] != b.sizes_[axis]) return false;
    return true;
  }

  /// As a Python tuple: (32, None, 3).
  friend std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    out << '(';
    for (int axis = 0; axis < shape.rank_; ++axis) {
      if (axis) out << ", ";
      if (shape.sizes_[axis] == kUnknown)
        out << "None";
      else
        out << shape.sizes_[axis];
    }
    return out << (shape.rank_ == 1 ? ",)" : ")");
  }

 private:
  std::int64_t sizes_[kMaxRank] = {};
  int rank_ = 0;
};

}  // namespace dlcore
