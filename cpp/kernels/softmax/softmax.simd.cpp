#include "kernels/softmax/softmax.h"

#include "base/parallel.h"
#include "kernels/pointwise/math.simd.h"
#include "kernels/row.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

using std::int64_t;

// ------------------------------------------------------------------------------------------------------------- layouts
// The formulas below are written once for two ways of laying a problem into vectors:
//   Row      the classes of one problem lie side by side in the lanes; sums and maxima are folded over the lanes
//   Columns  every lane is a problem of its own, its classes `stride` elements apart; nothing to fold
// Both have the interface of Row.

template <class T>
struct Columns {
  using V = vec<T>;
  static constexpr int L = kLanes<T>;
  int64_t size, stride;
  int lanes;

  DLCORE_INLINE int64_t steps() const { return size; }
  DLCORE_INLINE V load(const T* p, int64_t i, T) const {
    return lanes == L ? dlcore::DLCORE_ISA::load(p + i * stride) : load_partial(p + i * stride, lanes);
  }
  DLCORE_INLINE void store(T* p, int64_t i, V v) const {
    if (lanes == L) return dlcore::DLCORE_ISA::store(p + i * stride, v);
    store_partial(p + i * stride, v, lanes);
  }
  template <class Op>
  DLCORE_INLINE V fold(V v) const {
    return v;
  }
};

// -------------------------------------------------------------------------------------------------------------
// formulas

template <class T>
inline constexpr T kLeast = -static_cast<T>(__builtin_inf());

template <class T, class Layout>
DLCORE_INLINE vec<T> maximum(const Layout& at, const T* x) {
  vec<T> best = broadcast(kLeast<T>), second = best;
  int64_t i = 0;
  for (; i + 1 < at.steps(); i += 2) {
    best = vmax(at.load(x, i, kLeast<T>), best);
    second = vmax(at.load(x, i + 1, kLeast<T>), second);
  }
  if (i < at.steps()) best = vmax(at.load(x, i, kLeast<T>), best);
  return at.template fold<Max>(vmax(best, second));
}

template <class T, class Layout>
DLCORE_INLINE vec<T> sum(const Layout& at, const T* x) {
  vec<T> total{};
  for (int64_t i = 0; i < at.steps(); ++i) total += at.load(x, i, 0);
  return at.template fold<Sum>(total);
}

template <class T, class Layout>
DLCORE_INLINE vec<T> sum_of_exp(const Layout& at, const T* x, vec<T> m) {
  vec<T> total{};
  for (int64_t i = 0; i < at.steps(); ++i) total += vexp(at.load(x, i, kLeast<T>) - m);
  return at.template fold<Sum>(total);
}

/// y = exp(x - m); returns the sum.
template <class T, class Layout>
DLCORE_INLINE vec<T> exp_and_sum(const Layout& at, const T* x, vec<T> m, T* y) {
  vec<T> total{};
  for (int64_t i = 0; i < at.steps(); ++i) {
    const vec<T> e = vexp(at.load(x, i, kLeast<T>) - m);
    at.store(y, i, e);
    total += e;
  }
  return at.template fold<Sum>(total);
}

/// y = factor * exp(x - m) / sum exp(x - m)
template <class T, class Layout>
DLCORE_INLINE void scaled_softmax(const Layout& at, const T* x, T factor, T* y) {
  const vec<T> scale = broadcast(factor) / exp_and_sum(at, x, maximum(at, x), y);
  for (int64_t i = 0; i < at.steps(); ++i) at.store(y, i, at.load(y, i, 0) * scale);
}

template <class T, class Layout>
DLCORE_INLINE void softmax_of(const Layout& at, const T* x, const T*, T* y) {
  scaled_softmax(at, x, T{1}, y);
}

template <class T, class Layout>
DLCORE_INLINE void log_softmax_of(const Layout& at, const T* x, const T*, T* y) {
  const vec<T> m = maximum(at, x), log_sum = vlog(sum_of_exp(at, x, m));
  for (int64_t i = 0; i < at.steps(); ++i) at.store(y, i, (at.load(x, i, 0) - m) - log_sum);
}

template <class T, class Layout>
DLCORE_INLINE void softmax_grad_of(const Layout& at, const T* dy, const T* y, T* dx) {
  vec<T> dot{};
  for (int64_t i = 0; i < at.steps(); ++i) dot = fma(at.load(dy, i, 0), at.load(y, i, 0), dot);
  dot = at.template fold<Sum>(dot);
  for (int64_t i = 0; i < at.steps(); ++i) at.store(dx, i, at.load(y, i, 0) * (at.load(dy, i, 0) - dot));
}

template <class T, class Layout>
DLCORE_INLINE void log_softmax_grad_of(const Layout& at, const T* dy, const T* y, T* dx) {
  const vec<T> total = sum(at, dy);
  for (int64_t i = 0; i < at.steps(); ++i) at.store(dx, i, at.load(dy, i, 0) - vexp(at.load(y, i, 0)) * total);
}

// ----------------------------------------------------------------------------------------------------------------
// loops

// Elements per chunk of work, and the time for one (ns): an exponential and three passes through the cache.
constexpr int64_t kChunk = 4096;
template <class T>
constexpr double kCost = sizeof(T) == 4 ? 0.8 : 8;

template <class T, class Body>
DLCORE_INLINE void for_rows(int64_t rows, int64_t size, const Body& body) {
  const int64_t grain = max_of<int64_t>(1, kChunk / max_of<int64_t>(1, size));
  parallel_for((rows + grain - 1) / grain, static_cast<double>(rows * (size + 16)) * kCost<T>, [&](int64_t chunk) {
    const int64_t last = min_of(rows, (chunk + 1) * grain);
    for (int64_t row = chunk * grain; row < last; ++row) body(row);
  });
}

template <class T, class OnRow, class OnColumns>
DLCORE_INLINE void for_view(const SoftmaxView& v, const OnRow& on_row, const OnColumns& on_columns) {
  if (v.inner == 1) {
    const Row<T> layout(v.size);
    return for_rows<T>(v.outer, v.size, [&](int64_t row) { on_row(layout, row * v.size); });
  }
  constexpr int64_t L = kLanes<T>;
  const int64_t groups = (v.inner + L - 1) / L;
  for_rows<T>(v.outer * groups, v.size * L, [&](int64_t unit) {
    const int64_t first = unit % groups * L;
    const Columns<T> layout{v.size, v.inner, static_cast<int>(min_of(L, v.inner - first))};
    on_columns(layout, unit / groups * v.size * v.inner + first);
  });
}

#define DLCORE_ON_VIEW(name, formula)                                                                  \
  template <class T>                                                                                   \
  void name(const SoftmaxView& view, const T* a, const T* b, T* y) {                                   \
    const auto run = [&](const auto& layout, int64_t at) { formula(layout, a + at, b + at, y + at); }; \
    for_view<T>(view, run, run);                                                                       \
  }
DLCORE_ON_VIEW(softmax_view, softmax_of)
DLCORE_ON_VIEW(log_softmax_view, log_softmax_of)
DLCORE_ON_VIEW(softmax_grad_view, softmax_grad_of)
DLCORE_ON_VIEW(log_softmax_grad_view, log_softmax_grad_of)
#undef DLCORE_ON_VIEW

template <class T>
void softmax(const SoftmaxView& view, const T* x, T* y) {
  softmax_view(view, x, x, y);
}
template <class T>
void log_softmax(const SoftmaxView& view, const T* x, T* y) {
  log_softmax_view(view, x, x, y);
}

// --------------------------------------------------------------------------------------------------------
// cross-entropy

template <class T>
DLCORE_INLINE T xent_row(const Row<T>& at, const T* logits, const T* target) {
  const vec<T> m = maximum(at, logits);
  vec<T> exps{}, weights{}, weighted{};
  for (int64_t i = 0; i < at.steps(); ++i) {
    const vec<T> t = at.load(target, i, 0), x = at.load(logits, i, kLeast<T>) - m;
    exps += vexp(x);
    weights += t;
    weighted += t == T{0} ? vec<T>{} : t * x;
  }
  const vec<T> log_sum = vlog(at.template fold<Sum>(exps));
  const vec<T> loss = at.template fold<Sum>(weights) * log_sum - at.template fold<Sum>(weighted);
  return loss[0];
}

template <class T>
void xent(int64_t rows, int64_t size, const T* logits, const T* target, T* loss) {
  const Row<T> at(size);
  for_rows<T>(rows, size, [&](int64_t row) { loss[row] = xent_row(at, logits + row * size, target + row * size); });
}

template <class T>
DLCORE_INLINE void xent_grad_row(const Row<T>& at, T dloss, const T* logits, const T* target, T* dlogits) {
  const vec<T> d = broadcast(dloss), weights = sum(at, target);
  const vec<T> scale = d * weights / exp_and_sum(at, logits, maximum(at, logits), dlogits);
  for (int64_t i = 0; i < at.steps(); ++i)
    at.store(dlogits, i, at.load(dlogits, i, 0) * scale - d * at.load(target, i, 0));
}

template <class T>
void xent_grad(int64_t rows, int64_t size, const T* dloss, const T* logits, const T* target, T* dlogits) {
  const Row<T> at(size);
  for_rows<T>(rows, size, [&](int64_t row) {
    xent_grad_row(at, dloss[row], logits + row * size, target + row * size, dlogits + row * size);
  });
}

DLCORE_INLINE int64_t label_at(const Labels& labels, int64_t row) {
  return labels.wide ? static_cast<const int64_t*>(labels.data)[row]
                     : static_cast<const std::int32_t*>(labels.data)[row];
}
DLCORE_INLINE bool is_ignored(const Labels& labels, int64_t label) {
  return labels.has_ignored && label == labels.ignored;
}

template <class T>
void zero_row(T* row, int64_t size) {
  __builtin_memset(row, 0, static_cast<std::size_t>(size) * sizeof(T));
}

template <class T>
void sparse_xent_logits(int64_t rows, int64_t size, const T* logits, const Labels& labels, T* loss) {
  const Row<T> at(size);
  for_rows<T>(rows, size, [&](int64_t row) {
    const T* x = logits + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return void(loss[row] = 0);
    const vec<T> m = maximum(at, x), log_sum = vlog(sum_of_exp(at, x, m));
    loss[row] = log_sum[0] - (x[label] - m[0]);
  });
}

template <class T>
void sparse_xent_logits_grad(int64_t rows, int64_t size, const T* dloss, const T* logits, const Labels& labels,
                             T* dlogits) {
  const Row<T> at(size);
  for_rows<T>(rows, size, [&](int64_t row) {
    T* dx = dlogits + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return zero_row(dx, size);
    const T d = dloss[row];
    scaled_softmax(at, logits + row * size, d, dx);
    dx[label] -= d;
  });
}

template <class T>
void sparse_xent(int64_t rows, int64_t size, double epsilon, const T* probs, const Labels& labels, T* loss) {
  const Row<T> at(size);
  const T low = static_cast<T>(epsilon), high = static_cast<T>(1) - low;
  for_rows<T>(rows, size, [&](int64_t row) {
    const T* p = probs + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return void(loss[row] = 0);
    const T q = p[label] / sum(at, p)[0];
    loss[row] = -vlog(broadcast(q < low ? low : q > high ? high : q))[0];
  });
}

template <class T>
void sparse_xent_grad(int64_t rows, int64_t size, double epsilon, const T* dloss, const T* probs, const Labels& labels,
                      T* dprobs) {
  const Row<T> at(size);
  const T low = static_cast<T>(epsilon), high = static_cast<T>(1) - low;
  for_rows<T>(rows, size, [&](int64_t row) {
    const T* p = probs + row * size;
    T* dp = dprobs + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return zero_row(dp, size);
    const T total = sum(at, p)[0], of_label = p[label], q = of_label / total, d = dloss[row];
    if (q < low || q > high) return zero_row(dp, size);
    const vec<T> all = broadcast(d / total);
    for (int64_t i = 0; i < at.steps(); ++i) at.store(dp, i, all);
    dp[label] -= d / of_label;
  });
}

// ----------------------------------------------------------------------------------------------------------
// elementwise

/// Calls body(p, layout) on pieces of [0, n).
template <class T, class Body>
DLCORE_INLINE void for_pieces(int64_t n, const Body& body) {
  parallel_for((n + kChunk - 1) / kChunk, static_cast<double>(n) * kCost<T>, [&](int64_t chunk) {
    const int64_t first = chunk * kChunk;
    body(first, Row<T>(min_of(kChunk, n - first)));
  });
}

template <class T>
void sigmoid_xent(int64_t n, const T* logits, const T* target, T* loss) {
  for_pieces<T>(n, [&](int64_t first, const Row<T>& at) {
    for (int64_t i = 0; i < at.steps(); ++i) {
      const vec<T> x = at.load(logits + first, i, 0), t = at.load(target + first, i, 0);
      at.store(loss + first, i, vmax(vec<T>{}, x) - x * t + vlog1p(vexp(-vabs(x))));
    }
  });
}

template <class T>
void sigmoid_xent_grad(int64_t n, const T* dloss, const T* logits, const T* target, T* dlogits) {
  for_pieces<T>(n, [&](int64_t first, const Row<T>& at) {
    for (int64_t i = 0; i < at.steps(); ++i) {
      const vec<T> x = at.load(logits + first, i, 0), t = at.load(target + first, i, 0);
      at.store(dlogits + first, i, at.load(dloss + first, i, 0) * (vsigmoid(x) - t));
    }
  });
}

}  // namespace

extern const SoftmaxKernels<float> softmax_kernels_f32_table;
extern const SoftmaxKernels<double> softmax_kernels_f64_table;

#define DLCORE_TABLE(T)                                                                                          \
  {                                                                                                              \
    softmax<T>, log_softmax<T>, softmax_grad_view<T>, log_softmax_grad_view<T>, xent<T>, xent_grad<T>,           \
        sparse_xent_logits<T>, sparse_xent_logits_grad<T>, sparse_xent<T>, sparse_xent_grad<T>, sigmoid_xent<T>, \
        sigmoid_xent_grad<T>                                                                                     \
  }
const SoftmaxKernels<float> softmax_kernels_f32_table = DLCORE_TABLE(float);
const SoftmaxKernels<double> softmax_kernels_f64_table = DLCORE_TABLE(double);
#undef DLCORE_TABLE

}  // namespace dlcore::DLCORE_ISA
