#include "kernels/optim/optim.h"

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

extern const OptimKernels optim_kernels_table;

namespace {

#define DLCORE_RULE DLCORE_INLINE
#include "kernels/optim/rules.inc"
#undef DLCORE_RULE

template <class T, class Rule>
void update(const UpdateTile& tile, std::int64_t n, const double* coefficients) {
  using V = vec<T>;
  constexpr std::int64_t lanes = kLanes<T>;
  constexpr int kinds = 1 + Rule::states;
  V c[Rule::coefficients];
  for (int k = 0; k < Rule::coefficients; ++k) c[k] = broadcast(static_cast<T>(coefficients[k]));
  const T *gradient = static_cast<const T*>(tile.gradient), *in[kinds];
  T* out[kinds];
  for (int k = 0; k < kinds; ++k) {
    in[k] = static_cast<const T*>(tile.in[k]);
    out[k] = static_cast<T*>(tile.out[k]);
  }
  V x[kinds];
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < kinds; ++k) x[k] = load(in[k] + i);
    Rule::step(x[0], load(gradient + i), x + 1, c);
    for (int k = 0; k < kinds; ++k) store(out[k] + i, x[k]);
  }
  if (const int rest = static_cast<int>(n - i)) {
    for (int k = 0; k < kinds; ++k) x[k] = load_partial(in[k] + i, rest);
    Rule::step(x[0], load_partial(gradient + i, rest), x + 1, c);
    for (int k = 0; k < kinds; ++k) store_partial(out[k] + i, x[k], rest);
  }
}

/// In the order of UpdateRule.
template <class... Rules>
struct RuleList {
  static constexpr OptimKernels table = {{update<float, Rules>...}, {update<double, Rules>...}};
};
using All = RuleList<DLCORE_UPDATE_RULES>;

}  // namespace

constexpr OptimKernels optim_kernels_table = All::table;

}  // namespace dlcore::DLCORE_ISA
