#include "kernels/conv/tile.h"

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(TileKernels, tile_kernels)

// The second offset says what the steps are, until a run ends.
void TileRuns::add(std::int64_t a, std::int64_t b) {
  ++k_;
  if (!runs.empty()) {
    TileRun& last = runs.back();
    if (k_ == 2) {
      a_step = a - last.a;
      b_step = b - last.b;
    }
    if (a == last.a + last.length * a_step && b == last.b + last.length * b_step) {
      ++last.length;
      return;
    }
  }
  runs.push_back({a, b, 1});
}

}  // namespace dlcore
