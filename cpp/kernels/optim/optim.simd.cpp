#include "kernels/optim/optim.h"

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

extern const OptimKernels optim_kernels_table;

namespace {

// A rule turns weight p and states s into their new values, given gradient g and coefficients c. The order of the
// operations is Keras's.

struct Sgd {
  static constexpr int states = 0, coefficients = 1;
  template <class V>
  static DLCORE_INLINE void step(V& p, V g, V*, const V* c) {
    p = p - g * c[0];
  }
};

template <bool nesterov>
struct Momentum {
  static constexpr int states = 1, coefficients = 2;
  template <class V>
  static DLCORE_INLINE void step(V& p, V g, V* s, const V* c) {
    const V lr = c[0], momentum = c[1];
    s[0] = s[0] * momentum - g * lr;
    p = p + (nesterov ? s[0] * momentum - g * lr : s[0]);
  }
};

template <bool centered, bool momentum>
struct RmsProp {
  static constexpr int states = 1 + centered + momentum, coefficients = 4 + momentum;
  template <class V>
  static DLCORE_INLINE void step(V& p, V g, V* s, const V* c) {
    const V lr = c[0], rho = c[1], one_less_rho = c[2], epsilon = c[3];
    s[0] = rho * s[0] + one_less_rho * (g * g);
    V variance = s[0];
    if constexpr (centered) {
      s[1] = rho * s[1] + one_less_rho * g;
      variance = variance - s[1] * s[1];
    }
    V increment = lr * g / vsqrt(variance + epsilon);
    if constexpr (momentum) {
      V& velocity = s[states - 1];
      increment = velocity = c[4] * velocity + increment;
    }
    p = p - increment;
  }
};

template <bool amsgrad>
struct Adam {
  static constexpr int states = 2 + amsgrad, coefficients = 6;
  template <class V>
  static DLCORE_INLINE void step(V& p, V g, V* s, const V* c) {
    const V alpha = c[0], one_less_beta_1 = c[1], one_less_beta_2 = c[2], epsilon = c[3], decay = c[4], lr = c[5];
    V &m = s[0], &v = s[1];
    m = m + (g - m) * one_less_beta_1;
    v = v + (g * g - v) * one_less_beta_2;
    V second = v;
    if constexpr (amsgrad) second = s[2] = vmax(s[2], v);
    p = p - p * decay * lr - m * alpha / (vsqrt(second) + epsilon);
  }
};

struct Adagrad {
  static constexpr int states = 1, coefficients = 2;
  template <class V>
  static DLCORE_INLINE void step(V& p, V g, V* s, const V* c) {
    s[0] = s[0] + g * g;
    p = p - c[0] * g / vsqrt(s[0] + c[1]);
  }
};

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
using All = RuleList<Sgd, Momentum<false>, Momentum<true>, RmsProp<false, false>, RmsProp<false, true>,
                     RmsProp<true, false>, RmsProp<true, true>, Adam<false>, Adam<true>, Adagrad>;

}  // namespace

constexpr OptimKernels optim_kernels_table = All::table;

}  // namespace dlcore::DLCORE_ISA
