#include "kernels/conv/taps.h"

#include <algorithm>
#include <map>
#include <utility>

namespace dlcore {

namespace {

/// source(target, tap): where the tap reads, or a negative number when it reads nothing.
template <class Source>
std::vector<TapClass> classify(std::int64_t targets, std::int64_t taps, const Source& source) {
  std::vector<TapClass> classes;
  std::map<std::vector<std::int64_t>, std::size_t> known;
  for (std::int64_t target = 0; target < targets; ++target) {
    std::vector<std::int64_t> present;
    for (std::int64_t tap = 0; tap < taps; ++tap)
      if (source(target, tap) >= 0) present.push_back(tap);
    const auto [at, added] = known.try_emplace(present, classes.size());
    if (added) {
      TapClass fresh{present, {}, {}, {}};
      for (std::int64_t tap : present) fresh.steps.push_back(source(target, tap) - source(target, present[0]));
      classes.push_back(std::move(fresh));
    }
    TapClass& own = classes[at->second];
    own.targets.push_back(target);
    own.sources.push_back(present.empty() ? 0 : source(target, present[0]));
  }
  return classes;
}

}  // namespace

std::vector<TapClass> forward_taps(const ConvAxis& axis) {
  return classify(axis.out, axis.taps, [&](std::int64_t out, std::int64_t tap) {
    const std::int64_t in = out * axis.stride + tap * axis.dilation - axis.pad;
    return in < axis.in ? in : -1;
  });
}

std::vector<TapClass> backward_taps(const ConvAxis& axis) {
  return classify(axis.in, axis.taps, [&](std::int64_t in, std::int64_t tap) -> std::int64_t {
    const std::int64_t reach = in + axis.pad - tap * axis.dilation;
    if (reach < 0 || reach % axis.stride != 0) return -1;
    return reach / axis.stride < axis.out ? reach / axis.stride : -1;
  });
}

std::vector<TapClass> of_residue(const std::vector<TapClass>& classes, const ConvAxis& axis, std::int64_t residue) {
  std::vector<TapClass> chosen;
  for (const TapClass& all : classes) {
    TapClass own{all.taps, all.steps, {}, {}};
    for (std::size_t i = 0; i < all.targets.size(); ++i) {
      if ((all.targets[i] + axis.pad) % axis.stride != residue) continue;
      own.targets.push_back(all.targets[i]);
      own.sources.push_back(all.sources[i]);
    }
    if (!own.targets.empty()) chosen.push_back(std::move(own));
  }
  return chosen;
}

TapRange valid_outputs(const ConvAxis& axis, std::int64_t tap) {
  const std::int64_t reach = axis.pad - tap * axis.dilation;  // 0 <= out*stride - reach < in
  const auto ceil_div = [&](std::int64_t a) { return a <= 0 ? 0 : (a + axis.stride - 1) / axis.stride; };
  const std::int64_t first = std::min(ceil_div(reach), axis.out);
  return {first, std::max(first, std::min(ceil_div(axis.in + reach), axis.out))};
}

}  // namespace dlcore
