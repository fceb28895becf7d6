// Large host buffers that wait for the next request of their size.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>

#include "dlcore/tensor.h"
#include "program/freed_buffers.h"

namespace dlcore {
namespace {

constexpr std::size_t kMb = std::size_t{1} << 20;

std::byte* allocated(std::size_t bytes) { return static_cast<std::byte*>(std::aligned_alloc(2 * kMb, bytes)); }

class FreedBuffersTest : public ::testing::Test {
 protected:
  ~FreedBuffersTest() override { freed_.clear(); }
  std::byte* keep(std::size_t bytes) {
    std::byte* data = allocated(bytes);
    freed_.keep(data, bytes);
    return data;
  }
  FreedBuffers freed_;
};

TEST_F(FreedBuffersTest, ServeRequestsOfTheirSizeTheNewestFirst) {
  std::byte *first = keep(4 * kMb), *second = keep(4 * kMb), *other = keep(6 * kMb);
  EXPECT_EQ(freed_.bytes(), 14 * kMb);
  EXPECT_EQ(freed_.take(8 * kMb), nullptr);
  for (std::byte* expected : {second, first}) {
    std::byte* data = freed_.take(4 * kMb);
    EXPECT_EQ(data, expected);
    std::free(data);
  }
  EXPECT_EQ(freed_.take(4 * kMb), nullptr);
  std::byte* data = freed_.take(6 * kMb);
  EXPECT_EQ(data, other);
  std::free(data);
  EXPECT_EQ(freed_.bytes(), 0);
}

TEST_F(FreedBuffersTest, BeyondTheSpareTheOldestMakeRoom) {
  for (int i = 0; i < 4; ++i) keep(32 * kMb);
  EXPECT_EQ(freed_.take(10 * kMb), nullptr);  // one of them goes
  EXPECT_EQ(freed_.bytes(), 96 * kMb);
  EXPECT_EQ(freed_.take(400 * kMb), nullptr);  // down to the spare
  EXPECT_EQ(freed_.bytes(), FreedBuffers::kSpare);
  EXPECT_EQ(freed_.take(400 * kMb), nullptr);
  EXPECT_EQ(freed_.bytes(), FreedBuffers::kSpare);
}

TEST_F(FreedBuffersTest, AreBounded) {
  for (int i = 0; i < 5; ++i) keep(128 * kMb);
  EXPECT_EQ(freed_.bytes(), FreedBuffers::kMost);
  keep(FreedBuffers::kMost + 2 * kMb);
  EXPECT_EQ(freed_.bytes(), FreedBuffers::kMost);
  freed_.clear();
  EXPECT_EQ(freed_.bytes(), 0);
}

TEST(FreedBuffers, AreThoseOfTensors) {
  for (std::int64_t bytes : {128 << 10, 1 << 20, 4 << 20, 9 << 20}) {
    const auto place = [=] { return Tensor::empty(DType::U8, {bytes}).bytes(); };
    const std::byte* first = place();
    EXPECT_EQ(place(), first) << bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0);
  }
}

}  // namespace
}  // namespace dlcore
