#include "kernels/norm/norm.h"

#include "base/parallel.h"
#include "kernels/float16.simd.h"
#include "kernels/row.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

using std::int64_t;

// Time for one element of one pass (ns).
template <class T>
constexpr double kCost = sizeof(T) == 4 ? 0.15 : 0.3;

template <class T>
DLCORE_INLINE T reciprocal_sqrt(double x) {
  return static_cast<T>(1.0 / __builtin_sqrt(x));
}

// ---- batch norm

/// Where a BatchNormView keeps what in its scratch.
template <class T>
struct BatchNormScratch {
  double *first, *second;               // totals [wide]
  T *shift, *first_sums, *second_sums;  // of the pieces [pieces, wide]
  T *mean, *scale, *shift_of_y;         // y = (x - mean) * scale + shift_of_y, [wide]
  T *a, *b, *c;                         // dx = a * dy + b * (x - mean) + c, [wide]

  BatchNormScratch(const BatchNormView& v, void* scratch) {
    first = static_cast<double*>(scratch);
    second = first + v.wide;
    shift = reinterpret_cast<T*>(second + v.wide);
    first_sums = shift + v.pieces * v.wide;
    second_sums = first_sums + v.pieces * v.wide;
    mean = second_sums + v.pieces * v.wide;
    scale = mean + v.wide;
    shift_of_y = scale + v.wide;
    a = shift_of_y + v.wide;
    b = a + v.wide;
    c = b + v.wide;
  }
};

/// A stretch of x that one piece of work covers.
struct Piece {
  int64_t index;      // of its sums
  int64_t first;      // element of x
  int64_t rows, row;  // so many rows of this length, side by side in memory; row is v.wide but in the leftover
  int64_t channel;    // inner > 1: the one channel it belongs to
};

/// inner == 1: the wide rows, then what is left. inner > 1: the runs of the channels.
DLCORE_INLINE Piece piece_of(const BatchNormView& v, int64_t index, int64_t channel) {
  if (v.inner == 1) {
    const int64_t wide_rows = v.outer / v.groups, row = index * v.piece;
    if (row >= wide_rows) return {index, wide_rows * v.wide, 1, v.outer % v.groups * v.channels, 0};
    return {index, row * v.wide, min_of(v.piece, wide_rows - row), v.wide, 0};
  }
  const int64_t pieces_of_run = (v.inner + v.piece - 1) / v.piece, at = index % pieces_of_run * v.piece;
  return {index, (index / pieces_of_run * v.channels + channel) * v.inner + at, 1, min_of(v.piece, v.inner - at),
          channel};
}

/// Calls body(piece) for all pieces; backwards where the pass before has left the last ones in the cache.
template <class T, class Body>
void for_pieces(const BatchNormView& v, int64_t passes, bool backwards, const Body& body) {
  const double cost = static_cast<double>(v.outer * v.channels * v.inner * passes) * kCost<T>;
  if (v.inner == 1) {
    parallel_for(v.pieces, cost,
                 [&](int64_t index) { body(piece_of(v, backwards ? v.pieces - 1 - index : index, 0)); });
    return;
  }
  const int64_t units = v.pieces * v.channels, grain = max_of<int64_t>(1, v.piece / v.inner);
  const int64_t chunks = (units + grain - 1) / grain;
  parallel_for(chunks, cost, [&](int64_t index) {
    const int64_t chunk = backwards ? chunks - 1 - index : index;
    for (int64_t unit = chunk * grain; unit < min_of(units, (chunk + 1) * grain); ++unit)
      body(piece_of(v, unit / v.channels, unit % v.channels));
  });
}

/// How many numbers are behind entry j of a piece's sums.
DLCORE_INLINE int64_t count_of(const BatchNormView& v, int64_t index, int64_t j) {
  const Piece piece = piece_of(v, index, 0);
  if (v.inner > 1) return piece.row;
  return piece.row == v.wide || j < piece.row ? piece.rows : 0;
}

/// Whether elements E are what is computed in, T. Others are normalised over rows alone (inner == 1).
template <class E, class T>
constexpr bool kSame = std::is_same_v<E, T>;

/// Two terms that are summed side by side.
template <class T>
struct Terms {
  vec<T> first, second;
};

/// first[j], second[j] = sum_r f(r * row + j, j), for N vectors from j on; the last one may have fewer lanes.
template <int N, class T, class F>
DLCORE_INLINE void sum_some_columns(int64_t rows, int64_t row, int64_t j, int lanes, T* first, T* second, const F& f) {
  constexpr int L = kLanes<T>;
  Terms<T> total[N] = {};
  for (int64_t r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const Terms<T> terms = f(r * row + j + n * L, j + n * L, lanes);
      total[n].first += terms.first;
      total[n].second += terms.second;
    }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    store_lanes(first + j + n * L, total[n].first, lanes);
    store_lanes(second + j + n * L, total[n].second, lanes);
  }
}

template <class T, class F>
DLCORE_INLINE void sum_columns(int64_t rows, int64_t row, T* first, T* second, const F& f) {
  constexpr int L = kLanes<T>;
  int64_t j = 0;
  for (; j + 4 * L <= row; j += 4 * L) sum_some_columns<4>(rows, row, j, L, first, second, f);
  for (; j + L <= row; j += L) sum_some_columns<1>(rows, row, j, L, first, second, f);
  if (j < row) sum_some_columns<1>(rows, row, j, static_cast<int>(row - j), first, second, f);
}

/// The same over the steps of one row: first = sum f(i).first.
template <class T, class F>
DLCORE_INLINE void sum_row_terms(const Row<T>& at, T* first, T* second, const F& f) {
  Terms<T> total[2] = {};
  int64_t i = 0;
  const auto add = [&](int n, int64_t step) __attribute__((always_inline)) {
    const Terms<T> terms = f(step);
    total[n].first += terms.first;
    total[n].second += terms.second;
  };
  for (; i + 2 <= at.steps(); i += 2) add(0, i), add(1, i + 1);
  if (i < at.steps()) add(0, i);
  *first = at.template fold<Sum>(total[0].first + total[1].first)[0];
  *second = at.template fold<Sum>(total[0].second + total[1].second)[0];
}

/// What Row is, for the vectors that are whole.
template <class T>
struct WholeVectors {
  template <class E>
  static DLCORE_INLINE vec<T> load(const E* p, int64_t i, T) {
    return load_lanes(p + i * kLanes<T>, kLanes<T>);
  }
  template <class E>
  static DLCORE_INLINE void store(E* p, int64_t i, vec<T> v) {
    store_lanes(p + i * kLanes<T>, v, kLanes<T>);
  }
};

/// Calls f(layout, i) for the steps i of a row.
template <class T, class F>
DLCORE_INLINE void for_steps(const Row<T>& at, const F& f) {
  for (int64_t i = 0; i < at.full; ++i) f(WholeVectors<T>(), i);
  if (at.rest) f(at, at.full);
}

/// Sum of f(layout, i) over the steps i of a row.
template <class T, class F>
DLCORE_INLINE T sum_row(const Row<T>& at, const F& f) {
  vec<T> total[4] = {};
  int64_t i = 0;
  for (; i + 4 <= at.full; i += 4)
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) total[n] += f(WholeVectors<T>(), i + n);
  for (; i < at.full; ++i) total[0] += f(WholeVectors<T>(), i);
  if (at.rest) total[1] += f(at, i);
  return at.template fold<Sum>((total[0] + total[1]) + (total[2] + total[3]))[0];
}

// Sums of d = x - shift and of d*d. The shift is the mean of the first numbers of the piece: near enough to the mean of
// all, unless these differ among themselves by as much, that no digits are lost.
constexpr int64_t kSampleRows = 16, kSampleOfRun = 256;

template <class E, class T>
void column_moments(const E* x, int64_t rows, int64_t row, T* shift, T* first, T* second) {
  constexpr int L = kLanes<T>;
  const int64_t sample = min_of(rows, kSampleRows);
  for (int64_t j = 0; j < row; j += L) {
    const int lanes = static_cast<int>(min_of<int64_t>(L, row - j));
    vec<T> mean{};
    for (int64_t r = 0; r < sample; ++r) mean += load_lanes(x + r * row + j, lanes) / static_cast<T>(sample);
    store_lanes(shift + j, mean, lanes);
  }
  sum_columns(
      rows, row, first, second, [&](int64_t i, int64_t j, int lanes) __attribute__((always_inline)) {
        const vec<T> d = load_lanes(x + i, lanes) - load_lanes(shift + j, lanes);
        return Terms<T>{d, d * d};
      });
}

template <class T>
void run_moments(const T* x, int64_t n, T* shift, T* first, T* second) {
  const int64_t sample = min_of(n, kSampleOfRun);
  const Row<T> some(sample), all(n);
  const T total = sum_row(
      some, [=](const auto& at, int64_t i) __attribute__((always_inline)) { return at.load(x, i, 0); });
  const T k = total / static_cast<T>(sample);
  *shift = k;
  sum_row_terms(
      all, first, second, [&](int64_t i) __attribute__((always_inline)) {
        const vec<T> d = all.load(x, i, k) - k;
        return Terms<T>{d, d * d};
      });
}

/// totals[j] = sum over the pieces of f(count, entry), then over the groups of each channel: every group gets the sum.
template <class F>
void join_pieces(const BatchNormView& v, double* totals, const F& f) {
  for (int64_t j = 0; j < v.wide; ++j) totals[j] = 0;
  for (int64_t index = 0; index < v.pieces; ++index) {
    // All entries of a piece stand for equally many numbers, but in the leftover.
    const int64_t row = v.inner == 1 ? piece_of(v, index, 0).row : v.wide;
    const double count = static_cast<double>(count_of(v, index, 0));
    for (int64_t j = 0; j < row; ++j) totals[j] += f(count, index * v.wide + j, j);
  }
  for (int64_t c = 0; c < v.channels; ++c) {
    double sum = 0;
    for (int64_t g = 0; g < v.groups; ++g) sum += totals[g * v.channels + c];
    for (int64_t g = 0; g < v.groups; ++g) totals[g * v.channels + c] = sum;
  }
}

/// What relu makes of y, and of y's gradient where y, before it, is the second argument.
template <bool kRelu, class T>
DLCORE_INLINE vec<T> rectified(vec<T> y) {
  return kRelu ? vmax(vec<T>{}, y) : y;  // keeps NaN
}
template <bool kRelu, class T>
DLCORE_INLINE vec<T> where_positive(vec<T> dy, vec<T> y) {
  return kRelu ? (y > 0 ? dy : vec<T>{}) : dy;
}

template <bool kRelu, class E, class T>
void scale_piece(const BatchNormView& v, const Piece& p, const BatchNormScratch<T>& s, const E* x, E* y) {
  constexpr int L = kLanes<T>;
  if constexpr (kSame<E, T>)
    if (v.inner > 1) {
      const Row<T> at(p.row);
      const vec<T> mean = broadcast(s.mean[p.channel]), scale = broadcast(s.scale[p.channel]),
                   shift = broadcast(s.shift_of_y[p.channel]);
      for (int64_t i = 0; i < at.steps(); ++i)
        at.store(y + p.first, i, rectified<kRelu, T>(fma(at.load(x + p.first, i, 0) - mean, scale, shift)));
      return;
    }
  for (int64_t r = 0; r < p.rows; ++r) {
    const E* from = x + p.first + r * p.row;
    E* to = y + p.first + r * p.row;
    for (int64_t j = 0; j < p.row; j += L) {
      const int lanes = static_cast<int>(min_of<int64_t>(L, p.row - j));
      const vec<T> d = load_lanes(from + j, lanes) - load_lanes(s.mean + j, lanes);
      const vec<T> scaled = fma(d, load_lanes(s.scale + j, lanes), load_lanes(s.shift_of_y + j, lanes));
      store_lanes(to + j, rectified<kRelu, T>(scaled), lanes);
    }
  }
}

template <class E, class T>
void batch_norm(const BatchNormView& v, double epsilon, bool relu, const E* x, const T* gamma, const T* beta, E* y,
                T* mean, T* var, T* rstd, void* scratch) {
  const BatchNormScratch<T> s(v, scratch);
  const double n = static_cast<double>(v.outer * v.inner);
  for_pieces<T>(v, 2, false, [&](const Piece& p) {
    const int64_t at = p.index * v.wide + p.channel;
    if constexpr (kSame<E, T>)
      if (v.inner > 1) return run_moments(x + p.first, p.row, s.shift + at, s.first_sums + at, s.second_sums + at);
    column_moments(x + p.first, p.rows, p.row, s.shift + at, s.first_sums + at, s.second_sums + at);
  });
  join_pieces(v, s.first, [&](double count, int64_t at, int64_t) { return count * s.shift[at] + s.first_sums[at]; });
  for (int64_t j = 0; j < v.wide; ++j) s.first[j] /= n;
  // x - mean = d + k: the squares are d^2 + 2 d k + k^2
  join_pieces(v, s.second, [&](double count, int64_t at, int64_t j) {
    const double k = s.shift[at] - s.first[j];
    return s.second_sums[at] + k * (2.0 * s.first_sums[at] + count * k);
  });
  for (int64_t j = 0; j < v.wide; ++j) {
    const int64_t c = j % v.channels;
    mean[c] = s.mean[j] = static_cast<T>(s.first[j]);
    var[c] = static_cast<T>(s.second[j] / n);
    rstd[c] = reciprocal_sqrt<T>(s.second[j] / n + epsilon);
    s.scale[j] = gamma[c] * rstd[c];
    s.shift_of_y[j] = beta[c];
  }
  for_pieces<T>(v, 2, true,
                [&](const Piece& p) { relu ? scale_piece<true>(v, p, s, x, y) : scale_piece<false>(v, p, s, x, y); });
}

// The gradient of y = relu((x - mean) * scale + shift) flows where the forward's sum, computed again, is positive.

/// Sums of dy and of dy * (x - mean) over a piece.
template <bool kRelu, class E, class T>
void sum_gradients(const BatchNormView& v, const Piece& p, const BatchNormScratch<T>& s, const E* x, const E* dy) {
  const int64_t at = p.index * v.wide + p.channel;
  const E *from = x + p.first, *d = dy + p.first;
  if constexpr (kSame<E, T>)
    if (v.inner > 1) {
      const Row<T> run(p.row);
      const T mean = s.mean[p.channel];
      const vec<T> scale = broadcast(s.scale[p.channel]), shift = broadcast(s.shift_of_y[p.channel]);
      sum_row_terms(
          run, s.first_sums + at, s.second_sums + at, [&](int64_t i) __attribute__((always_inline)) {
            const vec<T> z = run.load(from, i, 0) - mean;
            const vec<T> g = where_positive<kRelu, T>(run.load(d, i, 0), fma(z, scale, shift));
            return Terms<T>{g, g * z};
          });
      return;
    }
  sum_columns(
      p.rows, p.row, s.first_sums + at,
      s.second_sums + at, [&](int64_t i, int64_t j, int lanes) __attribute__((always_inline)) {
        const vec<T> z = load_lanes(from + i, lanes) - load_lanes(s.mean + j, lanes);
        vec<T> g = load_lanes(d + i, lanes);
        if constexpr (kRelu)
          g = where_positive<true, T>(g, fma(z, load_lanes(s.scale + j, lanes), load_lanes(s.shift_of_y + j, lanes)));
        return Terms<T>{g, g * z};
      });
}

template <bool kRelu, class E, class T>
void gradient_piece(const BatchNormView& v, const Piece& p, const BatchNormScratch<T>& s, const E* x, const E* dy,
                    E* dx) {
  constexpr int L = kLanes<T>;
  if constexpr (kSame<E, T>)
    if (v.inner > 1) {
      const Row<T> at(p.row);
      const vec<T> a = broadcast(s.a[p.channel]), b = broadcast(s.b[p.channel]), c = broadcast(s.c[p.channel]),
                   mean = broadcast(s.mean[p.channel]), scale = broadcast(s.scale[p.channel]),
                   shift = broadcast(s.shift_of_y[p.channel]);
      for (int64_t i = 0; i < at.steps(); ++i) {
        const vec<T> z = at.load(x + p.first, i, 0) - mean;
        const vec<T> g = where_positive<kRelu, T>(at.load(dy + p.first, i, 0), fma(z, scale, shift));
        at.store(dx + p.first, i, fma(a, g, fma(b, z, c)));
      }
      return;
    }
  for (int64_t r = 0; r < p.rows; ++r) {
    const int64_t first = p.first + r * p.row;
    for (int64_t j = 0; j < p.row; j += L) {
      const int lanes = static_cast<int>(min_of<int64_t>(L, p.row - j));
      const vec<T> z = load_lanes(x + first + j, lanes) - load_lanes(s.mean + j, lanes);
      vec<T> g = load_lanes(dy + first + j, lanes);
      if constexpr (kRelu)
        g = where_positive<true, T>(g, fma(z, load_lanes(s.scale + j, lanes), load_lanes(s.shift_of_y + j, lanes)));
      const vec<T> rest = fma(load_lanes(s.b + j, lanes), z, load_lanes(s.c + j, lanes));
      store_lanes(dx + first + j, fma(load_lanes(s.a + j, lanes), g, rest), lanes);
    }
  }
}

template <class E, class T>
void batch_norm_grad(const BatchNormView& v, const E* x, const T* gamma, const T* beta, const T* mean, const T* rstd,
                     const E* dy, E* dx, T* dgamma, T* dbeta, void* scratch) {
  const BatchNormScratch<T> s(v, scratch);
  const double n = static_cast<double>(v.outer * v.inner);
  for (int64_t j = 0; j < v.wide; ++j) {
    const int64_t c = j % v.channels;
    s.mean[j] = mean[c];
    s.scale[j] = gamma[c] * rstd[c];
    s.shift_of_y[j] = beta ? beta[c] : 0;
  }
  for_pieces<T>(v, 2, false, [&](const Piece& p) {
    beta ? sum_gradients<true>(v, p, s, x, dy) : sum_gradients<false>(v, p, s, x, dy);
  });
  join_pieces(v, s.first, [&](double, int64_t at, int64_t) { return static_cast<double>(s.first_sums[at]); });
  join_pieces(v, s.second, [&](double, int64_t at, int64_t) { return static_cast<double>(s.second_sums[at]); });
  for (int64_t j = 0; j < v.wide; ++j) {
    const int64_t c = j % v.channels;
    const double r = rstd[c], scale = gamma[c] * r;
    dbeta[c] = static_cast<T>(s.first[j]);
    dgamma[c] = static_cast<T>(s.second[j] * r);
    s.a[j] = static_cast<T>(scale);
    s.b[j] = static_cast<T>(-scale * r * r * s.second[j] / n);
    s.c[j] = static_cast<T>(-scale * s.first[j] / n);
  }
  for_pieces<T>(v, 3, true, [&](const Piece& p) {
    beta ? gradient_piece<true>(v, p, s, x, dy, dx) : gradient_piece<false>(v, p, s, x, dy, dx);
  });
}

// ---- layer norm

template <class T, class Body>
void for_row_pieces(const LayerNormView& v, int64_t passes, const Body& body) {
  const double cost = static_cast<double>(v.rows * (v.size + 32) * passes) * kCost<T>;
  const int64_t grain = v.size * v.piece > 65536 ? max_of<int64_t>(1, 65536 / max_of<int64_t>(1, v.size)) : v.piece;
  parallel_for((v.rows + grain - 1) / grain, cost,
               [&](int64_t chunk) { body(chunk * grain, min_of(v.rows, (chunk + 1) * grain)); });
}

/// Mean of f(layout, first, i) over the steps i of a row; long rows are added up in double, stretch by stretch.
template <class T, class F>
DLCORE_INLINE T mean_of_row(const Row<T>& whole, int64_t size, const F& f) {
  constexpr int64_t kStretch = 8192;
  const auto sum_from = [&](const Row<T>& row, int64_t first) __attribute__((always_inline)) {
    return sum_row(
        row, [&](const auto& at, int64_t i) __attribute__((always_inline)) { return f(at, first, i); });
  };
  if (size <= kStretch) return sum_from(whole, 0) / static_cast<T>(size);
  double total = 0;
  for (int64_t first = 0; first < size; first += kStretch)
    total += sum_from(Row<T>(min_of(kStretch, size - first)), first);
  return static_cast<T>(total / static_cast<double>(size));
}

DLCORE_INLINE float root(float x) { return __builtin_sqrtf(x); }
DLCORE_INLINE double root(double x) { return __builtin_sqrt(x); }

/// One row of y; gives its mean and rstd.
template <class E, class T>
DLCORE_INLINE void layer_norm_row(const Row<T>& row, int64_t size, T epsilon, const E* x, const T* gamma, const T* beta,
                                  E* y, T* mean, T* rstd) {
  const T m = mean_of_row(
      row, size, [=](const auto& at, int64_t first, int64_t i) __attribute__((always_inline)) {
        return at.load(x + first, i, 0);
      });
  const T var = mean_of_row(
      row, size, [=](const auto& at, int64_t first, int64_t i) __attribute__((always_inline)) {
        const vec<T> d = at.load(x + first, i, m) - m;
        return d * d;
      });
  const T r = static_cast<T>(1) / root(var + epsilon);
  *mean = m;
  *rstd = r;
  for_steps(
      row, [=](const auto& at, int64_t i) __attribute__((always_inline)) {
        at.store(y, i, fma((at.load(x, i, 0) - m) * r, at.load(gamma, i, 0), at.load(beta, i, 0)));
      });
}

template <class E, class T>
void layer_norm(const LayerNormView& v, double epsilon, const E* x, const T* gamma, const T* beta, E* y, T* mean,
                T* rstd) {
  const Row<T> layout(v.size);
  for_row_pieces<T>(v, 3, [=](int64_t first, int64_t last) {
    const int64_t size = v.size;
    for (int64_t row = first; row < last; ++row)
      layer_norm_row(layout, size, static_cast<T>(epsilon), x + row * size, gamma, beta, y + row * size, mean + row,
                     rstd + row);
  });
}

/// One row of dx; adds to dgamma and dbeta.
template <class E, class T>
DLCORE_INLINE void layer_norm_grad_row(const Row<T>& row, int64_t size, const E* x, const T* gamma, T mean, T rstd,
                                       const E* dy, E* dx, T* dgamma, T* dbeta) {
  vec<T> sum_g{}, sum_gx{};
  for_steps(
      row, [&](const auto& at, int64_t i) __attribute__((always_inline)) {
        const vec<T> d = at.load(dy, i, 0), g = d * at.load(gamma, i, 0), hat = (at.load(x, i, mean) - mean) * rstd;
        sum_g += g;
        sum_gx = fma(g, hat, sum_gx);
        at.store(dgamma, i, fma(d, hat, at.load(dgamma, i, 0)));
        at.store(dbeta, i, at.load(dbeta, i, 0) + d);
      });
  const T share = static_cast<T>(1) / static_cast<T>(size);
  const vec<T> mean_g = row.template fold<Sum>(sum_g) * share, mean_gx = row.template fold<Sum>(sum_gx) * share;
  for_steps(
      row, [=](const auto& at, int64_t i) __attribute__((always_inline)) {
        const vec<T> g = at.load(dy, i, 0) * at.load(gamma, i, 0), hat = (at.load(x, i, mean) - mean) * rstd;
        at.store(dx, i, ((g - mean_g) - hat * mean_gx) * rstd);
      });
}

template <class E, class T>
void layer_norm_grad(const LayerNormView& v, const E* x, const T* gamma, const T* mean, const T* rstd, const E* dy,
                     E* dx, T* dgamma, T* dbeta, void* scratch) {
  T* sums = static_cast<T*>(scratch);  // [pieces, 2, size]
  const Row<T> at(v.size);
  const double cost = static_cast<double>(v.rows * (v.size + 32)) * 5 * kCost<T>;
  parallel_for(v.pieces, cost, [&](int64_t piece) {
    T *to_gamma = sums + piece * 2 * v.size, *to_beta = to_gamma + v.size;
    for (int64_t j = 0; j < 2 * v.size; ++j) to_gamma[j] = 0;
    for (int64_t row = piece * v.piece; row < min_of(v.rows, (piece + 1) * v.piece); ++row)
      layer_norm_grad_row(at, v.size, x + row * v.size, gamma, mean[row], rstd[row], dy + row * v.size,
                          dx + row * v.size, to_gamma, to_beta);
  });
  const auto join = [&](const T* of_piece, T* total) {
    for (int64_t i = 0; i < at.steps(); ++i) {
      vec<T> sum{};
      for (int64_t piece = 0; piece < v.pieces; ++piece) sum += at.load(of_piece + piece * 2 * v.size, i, 0);
      at.store(total, i, sum);
    }
  };
  join(sums, dgamma);
  join(sums + v.size, dbeta);
}

}  // namespace

extern const BatchNormKernels<float> batch_norm_kernels_f32_table;
extern const BatchNormKernels<double> batch_norm_kernels_f64_table;
extern const BatchNormKernels<Bfloat> batch_norm_kernels_bf16_table;
extern const LayerNormKernels<float> layer_norm_kernels_f32_table;
extern const LayerNormKernels<double> layer_norm_kernels_f64_table;
extern const LayerNormKernels<Bfloat> layer_norm_kernels_bf16_table;
const BatchNormKernels<float> batch_norm_kernels_f32_table = {batch_norm, batch_norm_grad};
const BatchNormKernels<double> batch_norm_kernels_f64_table = {batch_norm, batch_norm_grad};
const BatchNormKernels<Bfloat> batch_norm_kernels_bf16_table = {batch_norm, batch_norm_grad};
const LayerNormKernels<float> layer_norm_kernels_f32_table = {layer_norm, layer_norm_grad};
const LayerNormKernels<double> layer_norm_kernels_f64_table = {layer_norm, layer_norm_grad};
const LayerNormKernels<Bfloat> layer_norm_kernels_bf16_table = {layer_norm, layer_norm_grad};

}  // namespace dlcore::DLCORE_ISA
