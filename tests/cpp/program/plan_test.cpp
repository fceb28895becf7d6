#include "program/plan.h"

#include <gtest/gtest.h>

#include <random>

namespace dlcore {
namespace {

bool alive_together(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

TEST(PlaceIntervals, LiveBuffersDoNotOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Interval> intervals;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(random() % 40);
      intervals.push_back({random() % 5000, first, first + static_cast<int>(random() % 8)});
    }
    const std::size_t arena = place_intervals(intervals);
    for (std::size_t i = 0; i < intervals.size(); ++i) {
      EXPECT_EQ(intervals[i].offset % 64, 0u);
      EXPECT_LE(intervals[i].offset + intervals[i].bytes, arena);
      for (std::size_t j = 0; j < i; ++j) {
        if (!alive_together(intervals[i], intervals[j]) || !intervals[i].bytes || !intervals[j].bytes) continue;
        EXPECT_TRUE(intervals[i].offset + intervals[i].bytes <= intervals[j].offset ||
                    intervals[j].offset + intervals[j].bytes <= intervals[i].offset);
      }
    }
  }
}

TEST(PlaceIntervals, BuffersThatNeverMeetShareBytes) {
  std::vector<Interval> chain;
  for (int step = 0; step < 100; ++step) chain.push_back({1000, step, step + 1});
  EXPECT_EQ(place_intervals(chain), 2 * 1024u);
}

TEST(PlaceIntervals, NoBytesTakeNoPlace) {
  std::vector<Interval> intervals{{0, 0, 9}, {64, 0, 9}, {0, 2, 3}};
  EXPECT_EQ(place_intervals(intervals), 64u);
}

}  // namespace
}  // namespace dlcore
