#include "kernels/softmax/softmax.h"

#include "base/parallel.h"
#include "kernels/pointwise/math.simd.h"
#include "kernels/row.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

using std::int64_t;

// ---- layouts
// The formulas below are written once for several ways of laying a problem into vectors; all have the interface of Row.
//   Row      the classes of one problem lie side by side in the lanes; sums and maxima are folded over the lanes
//   Lanes    several problems of SIZE classes each share one vector; sums and maxima are folded over SIZE lanes
//   Columns  every lane is a problem of its own, its classes `stride` elements apart; nothing to fold
// keep(y) is where a formula keeps vectors that it reads again: the output, or a register where there is one vector.
// divide(a, b) is for folded values.

template <class T, class Layout>
struct KeepInMemory {
  const Layout& at;
  T* y;
  DLCORE_INLINE void put(int64_t i, vec<T> v) const { at.store(y, i, v); }
  DLCORE_INLINE vec<T> get(int64_t i) const { return at.load(y, i, 0); }
};

template <class T>
struct KeepInRegister {
  vec<T> kept;
  DLCORE_INLINE void put(int64_t, vec<T> v) { kept = v; }
  DLCORE_INLINE vec<T> get(int64_t) const { return kept; }
};

/// For folded values of a row, which are the same in all lanes: one scalar division is faster than a vector of them.
template <class T>
DLCORE_INLINE vec<T> divide_scalars(vec<T> a, vec<T> b) {
  return broadcast(a[0] / b[0]);
}

template <class T>
struct LongRow : Row<T> {
  using Row<T>::Row;
  static DLCORE_INLINE vec<T> divide(vec<T> a, vec<T> b) { return divide_scalars<T>(a, b); }
  DLCORE_INLINE auto keep(T* y) const { return KeepInMemory<T, Row<T>>{*this, y}; }
};

/// Rows of SIZE lanes: 2, 4, 8 or all. `lanes` of the vector hold numbers.
template <class T, int SIZE>
struct Lanes {
  using V = vec<T>;
  int lanes;

  DLCORE_INLINE int64_t steps() const { return 1; }
  DLCORE_INLINE V load(const T* p, int64_t, T beyond) const {
    const V v = load_partial(p, lanes);
    return SIZE < kLanes<T> || beyond == 0 ? v : lane_numbers<T>() < static_cast<T>(lanes) ? v : broadcast(beyond);
  }
  DLCORE_INLINE void store(T* p, int64_t, V v) const { store_partial(p, v, lanes); }
  template <class Op>
  DLCORE_INLINE V fold(V v) const {
    return fold_lanes<Op, SIZE / 2>(v, std::make_integer_sequence<int, kLanes<T>>());
  }
  static DLCORE_INLINE V divide(V a, V b) {
    if constexpr (SIZE == kLanes<T>)
      return divide_scalars<T>(a, b);
    else
      return a / b;
  }
  DLCORE_INLINE auto keep(T*) const { return KeepInRegister<T>{}; }
};

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
  static DLCORE_INLINE V divide(V a, V b) { return a / b; }
  DLCORE_INLINE auto keep(T* y) const { return KeepInMemory<T, Columns>{*this, y}; }
};

// ---- formulas

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

/// kept = exp(x - m); returns the sum.
template <class T, class Layout, class Keep>
DLCORE_INLINE vec<T> exp_and_sum(const Layout& at, const T* x, vec<T> m, Keep& kept) {
  vec<T> total{};
  for (int64_t i = 0; i < at.steps(); ++i) {
    const vec<T> e = vexp(at.load(x, i, kLeast<T>) - m);
    kept.put(i, e);
    total += e;
  }
  return at.template fold<Sum>(total);
}

/// y = factor * exp(x - m) / sum exp(x - m)
template <class T, class Layout>
DLCORE_INLINE void scaled_softmax(const Layout& at, const T* x, T factor, T* y) {
  auto exps = at.keep(y);
  const vec<T> scale = at.divide(broadcast(factor), exp_and_sum(at, x, maximum(at, x), exps));
  for (int64_t i = 0; i < at.steps(); ++i) at.store(y, i, exps.get(i) * scale);
}

template <class T, class Layout>
DLCORE_INLINE void log_softmax_of(const Layout& at, const T* x, T* y) {
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

// ---- loops

// Elements per chunk of work, and the time for one (ns): an exponential and three passes through the cache.
constexpr int64_t kChunk = 4096;
template <class T>
constexpr double kCost = sizeof(T) == 4 ? 0.8 : 8;

/// Calls body(first, last) for stretches of at most MOST rows.
template <class T, int64_t MOST, class Body>
DLCORE_INLINE void for_stretches(int64_t rows, int64_t size, const Body& body) {
  const int64_t grain = min_of(MOST, max_of<int64_t>(1, kChunk / max_of<int64_t>(1, size)));
  parallel_for((rows + grain - 1) / grain, static_cast<double>(rows * (size + 16)) * kCost<T>,
               [&](int64_t chunk) { body(chunk * grain, min_of(rows, (chunk + 1) * grain)); });
}

template <class T, class Body>
DLCORE_INLINE void for_rows(int64_t rows, int64_t size, const Body& body) {
  for_stretches<T, kChunk>(rows, size, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) body(row);
  });
}

/// Short rows of a power of two, as many to a vector as it holds.
template <int SIZE, class T, class Body>
DLCORE_INLINE void for_shared_vectors(const SoftmaxView& v, const Body& body) {
  const int64_t L = kLanes<T>, elements = v.outer * SIZE;
  for_rows<T>((elements + L - 1) / L, L,
              [&](int64_t unit) { body(Lanes<T, SIZE>{static_cast<int>(min_of(L, elements - unit * L))}, unit * L); });
}

/// Calls body(layout) with the layout of a row that may not share vectors with other rows.
template <class T, class Body>
DLCORE_INLINE void with_row_layout(int64_t size, const Body& body) {
  if (size <= kLanes<T>)
    body(Lanes<T, kLanes<T>>{static_cast<int>(size)});
  else
    body(LongRow<T>(size));
}

template <class T, class Body>
DLCORE_INLINE void for_columns(const SoftmaxView& v, const Body& body) {
  constexpr int64_t L = kLanes<T>;
  const int64_t groups = (v.inner + L - 1) / L;
  for_rows<T>(v.outer * groups, v.size * L, [&](int64_t unit) {
    const int64_t first = unit % groups * L;
    const Columns<T> layout{v.size, v.inner, static_cast<int>(min_of(L, v.inner - first))};
    body(layout, unit / groups * v.size * v.inner + first);
  });
}

/// Calls body(layout, first element) for every problem, or every vector of problems.
template <class T, class Body>
DLCORE_INLINE void for_view(const SoftmaxView& v, const Body& body) {
  constexpr int64_t L = kLanes<T>;
  if (v.inner != 1) return for_columns<T>(v, body);
  if constexpr (L > 2)
    if (v.size == 2) return for_shared_vectors<2, T>(v, body);
  if constexpr (L > 4)
    if (v.size == 4) return for_shared_vectors<4, T>(v, body);
  if constexpr (L > 8)
    if (v.size == 8) return for_shared_vectors<8, T>(v, body);
  with_row_layout<T>(v.size, [&](const auto& layout) {
    for_rows<T>(v.outer, v.size, [&](int64_t row) { body(layout, row * v.size); });
  });
}

template <class T>
void softmax(const SoftmaxView& view, const T* x, T* y) {
  for_view<T>(view, [=](const auto& layout, int64_t at) { scaled_softmax(layout, x + at, T{1}, y + at); });
}
template <class T>
void log_softmax(const SoftmaxView& view, const T* x, T* y) {
  for_view<T>(view, [=](const auto& layout, int64_t at) { log_softmax_of(layout, x + at, y + at); });
}
template <class T>
void softmax_grad(const SoftmaxView& view, const T* dy, const T* y, T* dx) {
  for_view<T>(view, [=](const auto& layout, int64_t at) { softmax_grad_of(layout, dy + at, y + at, dx + at); });
}
template <class T>
void log_softmax_grad(const SoftmaxView& view, const T* dy, const T* y, T* dx) {
  for_view<T>(view, [=](const auto& layout, int64_t at) { log_softmax_grad_of(layout, dy + at, y + at, dx + at); });
}

// ---- cross-entropy

/// Calls body(layout, row) for every row.
template <class T, class Body>
DLCORE_INLINE void for_single_rows(int64_t rows, int64_t size, const Body& body) {
  with_row_layout<T>(size,
                     [&](const auto& layout) { for_rows<T>(rows, size, [&](int64_t row) { body(layout, row); }); });
}

/// What remains of a row: its loss is weight * log(sum) - score.
template <class T>
struct RowTerms {
  T sum, weight, score;
};

/// terms(layout, row) for every row; the logarithms are taken of whole vectors of rows.
template <class T, class F>
DLCORE_INLINE void losses_of_rows(int64_t rows, int64_t size, T* loss, const F& terms) {
  constexpr int64_t kMost = 256;
  with_row_layout<T>(size, [&](const auto& layout) {
    for_stretches<T, kMost>(rows, size, [&](int64_t first, int64_t last) {
      T weights[kMost], scores[kMost];
      for (int64_t row = first; row < last; ++row) {
        const RowTerms<T> t = terms(layout, row);
        loss[row] = t.sum;
        weights[row - first] = t.weight;
        scores[row - first] = t.score;
      }
      const Row<T> at(last - first);
      for (int64_t i = 0; i < at.steps(); ++i)
        at.store(loss + first, i, at.load(weights, i, 0) * vlog(at.load(loss + first, i, 1)) - at.load(scores, i, 0));
    });
  });
}

template <class T, class Layout>
DLCORE_INLINE RowTerms<T> xent_row(const Layout& at, const T* logits, const T* target) {
  const vec<T> m = maximum(at, logits);
  vec<T> exps{}, weights{}, scores{};
  for (int64_t i = 0; i < at.steps(); ++i) {
    const vec<T> t = at.load(target, i, 0), x = at.load(logits, i, kLeast<T>) - m;
    exps += vexp(x);
    weights += t;
    scores += t == T{0} ? vec<T>{} : t * x;
  }
  return {at.template fold<Sum>(exps)[0], at.template fold<Sum>(weights)[0], at.template fold<Sum>(scores)[0]};
}

template <class T>
void xent(int64_t rows, int64_t size, const T* logits, const T* target, T* loss) {
  losses_of_rows(rows, size, loss,
                 [=](const auto& at, int64_t row) { return xent_row(at, logits + row * size, target + row * size); });
}

template <class T, class Layout>
DLCORE_INLINE void xent_grad_row(const Layout& at, T dloss, const T* logits, const T* target, T* dlogits) {
  auto exps = at.keep(dlogits);
  const vec<T> d = broadcast(dloss), weights = sum(at, target);
  const vec<T> scale = at.divide(d * weights, exp_and_sum(at, logits, maximum(at, logits), exps));
  for (int64_t i = 0; i < at.steps(); ++i) at.store(dlogits, i, exps.get(i) * scale - d * at.load(target, i, 0));
}

template <class T>
void xent_grad(int64_t rows, int64_t size, const T* dloss, const T* logits, const T* target, T* dlogits) {
  for_single_rows<T>(rows, size, [=](const auto& at, int64_t row) {
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
inline constexpr RowTerms<T> kNoLoss = {1, 0, 0};

template <class T>
void sparse_xent_logits(int64_t rows, int64_t size, const T* logits, const Labels& labels, T* loss) {
  losses_of_rows(rows, size, loss, [=](const auto& at, int64_t row) -> RowTerms<T> {
    const T* x = logits + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return kNoLoss<T>;
    const vec<T> m = maximum(at, x);
    return {sum_of_exp(at, x, m)[0], 1, x[label] - m[0]};
  });
}

template <class T>
DLCORE_INLINE void sparse_grad_row(const LongRow<T>& at, const T* x, int64_t label, T d, T* dx) {
  scaled_softmax(at, x, d, dx);
  dx[label] -= d;
}
template <class T, int SIZE>
DLCORE_INLINE void sparse_grad_row(const Lanes<T, SIZE>& at, const T* x, int64_t label, T d, T* dx) {
  auto exps = at.keep(dx);
  const vec<T> total = exp_and_sum(at, x, maximum(at, x), exps);
  const vec<T> hit = lane_numbers<T>() == static_cast<T>(label) ? broadcast(d) : vec<T>{};
  at.store(dx, 0, exps.get(0) * at.divide(broadcast(d), total) - hit);
}

template <class T>
void sparse_xent_logits_grad(int64_t rows, int64_t size, const T* dloss, const T* logits, const Labels& labels,
                             T* dlogits) {
  for_single_rows<T>(rows, size, [=](const auto& at, int64_t row) {
    T* dx = dlogits + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return zero_row(dx, size);
    sparse_grad_row(at, logits + row * size, label, dloss[row], dx);
  });
}

template <class T>
void sparse_xent(int64_t rows, int64_t size, double epsilon, const T* probs, const Labels& labels, T* loss) {
  const T low = static_cast<T>(epsilon), high = static_cast<T>(1) - low;
  losses_of_rows(rows, size, loss, [=](const auto& at, int64_t row) -> RowTerms<T> {
    const T* p = probs + row * size;
    const int64_t label = label_at(labels, row);
    if (is_ignored(labels, label)) return kNoLoss<T>;
    const T q = p[label] / sum(at, p)[0];
    return {q < low ? low : q > high ? high : q, -1, 0};
  });
}

template <class T>
void sparse_xent_grad(int64_t rows, int64_t size, double epsilon, const T* dloss, const T* probs, const Labels& labels,
                      T* dprobs) {
  const T low = static_cast<T>(epsilon), high = static_cast<T>(1) - low;
  for_single_rows<T>(rows, size, [=](const auto& at, int64_t row) {
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

// ---- elementwise

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

#define DLCORE_TABLE(T)                                                                                             \
  {                                                                                                                 \
    softmax<T>, log_softmax<T>, softmax_grad<T>, log_softmax_grad<T>, xent<T>, xent_grad<T>, sparse_xent_logits<T>, \
        sparse_xent_logits_grad<T>, sparse_xent<T>, sparse_xent_grad<T>, sigmoid_xent<T>, sigmoid_xent_grad<T>      \
  }
const SoftmaxKernels<float> softmax_kernels_f32_table = DLCORE_TABLE(float);
const SoftmaxKernels<double> softmax_kernels_f64_table = DLCORE_TABLE(double);
#undef DLCORE_TABLE

}  // namespace dlcore::DLCORE_ISA
