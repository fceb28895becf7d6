// Images resized by interpolation, beside a copy that moves as many bytes.
#include "dlcore/ops.h"
#include "planned.h"

namespace dlcore::bench {
namespace {

/// Weights of linear interpolation, [size, out].
Tensor linear(std::int64_t size, std::int64_t out) {
  Tensor w = Tensor::zeros(DType::F32, {size, out});
  for (std::int64_t j = 0; j < out; ++j) {
    const double place =
        std::clamp((static_cast<double>(j) + 0.5) * static_cast<double>(size) / static_cast<double>(out) - 0.5, 0.0,
                   static_cast<double>(size - 1));
    const auto below = std::min(static_cast<std::int64_t>(place), size - 2);
    const double share = place - static_cast<double>(below);
    w.data<float>()[below * out + j] = static_cast<float>(1 - share);
    w.data<float>()[(below + 1) * out + j] = static_cast<float>(share);
  }
  return w;
}

const bool registered = [] {
  for (const auto& [x, out] :
       {std::pair{Shape{64, 160, 160, 3}, 96}, {{32, 256, 256, 3}, 128}, {{16, 64, 64, 64}, 128}}) {
    const auto add = [x = x, out = out](const char* axes, std::int64_t axis, bool both) {
      benchmark::RegisterBenchmark(str("resample/linear/", axes, '/', x, '/', out).c_str(),
                                   [=](benchmark::State& state) {
                                     std::vector<Tensor> in{random_tensor(x), linear(x[1], out)};
                                     if (both) in.push_back(linear(x[2], out));
                                     against_copy(state, Planned("resample", in, {{"axis", axis}}));
                                   })
          ->UseManualTime();
    };
    add("height", 1, false);
    add("width", 2, false);
    add("both", 1, true);
  }
  return true;
}();

}  // namespace
}  // namespace dlcore::bench
