#include "kernels/fft/fft.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

extern const FftKernels fft_kernels_table;

namespace {

/// A complex number of each line of a group. In memory the real parts come first.
template <class T>
struct Complex {
  vec<T> re, im;
};
template <class T>
DLCORE_INLINE Complex<T> load_complex(const T* p) {
  return {load(p), load(p + kLanes<T>)};
}
template <class T>
DLCORE_INLINE void store_complex(T* p, Complex<T> x) {
  store(p, x.re);
  store(p + kLanes<T>, x.im);
}
template <class T>
DLCORE_INLINE Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
DLCORE_INLINE Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
/// -i x
template <class T>
DLCORE_INLINE Complex<T> turned_back(Complex<T> x) {
  return {x.im, -x.re};
}
template <class T>
DLCORE_INLINE Complex<T> scaled(T factor, Complex<T> x) {
  return {broadcast(factor) * x.re, broadcast(factor) * x.im};
}
/// sum + factor x
template <class T>
DLCORE_INLINE Complex<T> add_scaled(Complex<T> sum, T factor, Complex<T> x) {
  return {fma(broadcast(factor), x.re, sum.re), fma(broadcast(factor), x.im, sum.im)};
}
/// x (turn[0] + i turn[1])
template <class T>
DLCORE_INLINE Complex<T> times(Complex<T> x, const T* turn) {
  const vec<T> c = broadcast(turn[0]), s = broadcast(turn[1]);
  return {fma(x.re, c, -(x.im * s)), fma(x.re, s, x.im * c)};
}

/// The transforms of r numbers, x to y.
template <class T>
struct Two {
  static constexpr int kRadix = 2;
  DLCORE_INLINE void operator()(const Complex<T>* x, Complex<T>* y, const T*) const {
    y[0] = x[0] + x[1];
    y[1] = x[0] - x[1];
  }
};
template <class T>
struct Three {
  static constexpr int kRadix = 3;
  DLCORE_INLINE void operator()(const Complex<T>* x, Complex<T>* y, const T*) const {
    const Complex<T> sum = x[1] + x[2], middle = add_scaled(x[0], T(-0.5), sum);
    const Complex<T> side = scaled(T(0.86602540378443864676), turned_back(x[1] - x[2]));
    y[0] = x[0] + sum;
    y[1] = middle + side;
    y[2] = middle - side;
  }
};
template <class T>
struct Four {
  static constexpr int kRadix = 4;
  DLCORE_INLINE void operator()(const Complex<T>* x, Complex<T>* y, const T*) const {
    const Complex<T> a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = turned_back(x[1] - x[3]);
    y[0] = a + c;
    y[1] = b + d;
    y[2] = a - c;
    y[3] = b - d;
  }
};
template <class T>
struct Five {
  static constexpr int kRadix = 5;
  DLCORE_INLINE void operator()(const Complex<T>* x, Complex<T>* y, const T*) const {
    constexpr T c1 = T(0.30901699437494742410), c2 = T(-0.80901699437494742410);
    constexpr T s1 = T(0.95105651629515357212), s2 = T(0.58778525229247312917);
    const Complex<T> a = x[1] + x[4], b = x[2] + x[3], c = turned_back(x[1] - x[4]), d = turned_back(x[2] - x[3]);
    const Complex<T> one = add_scaled(add_scaled(x[0], c1, a), c2, b), two = add_scaled(add_scaled(x[0], c2, a), c1, b);
    const Complex<T> side = add_scaled(scaled(s1, c), s2, d), other = add_scaled(scaled(s2, c), -s1, d);
    y[0] = x[0] + a + b;
    y[1] = one + side;
    y[2] = two + other;
    y[3] = two - other;
    y[4] = one - side;
  }
};

/// One stage: y[p][q + b before] = sum_a x[p + a parts][q] turn(a q) turn_r(a b), p < parts, q < before.
template <class T, class Transform>
void stage(std::int64_t parts, std::int64_t before, const T* x, T* y, const T* turns) {
  constexpr int r = Transform::kRadix;
  constexpr std::int64_t kSize = 2 * kLanes<T>;
  for (std::int64_t p = 0; p < parts; ++p) {
    const T* turn = turns;
    for (std::int64_t q = 0; q < before; ++q, turn += 2 * (r - 1)) {
      Complex<T> in[r], out[r];
      for (int a = 0; a < r; ++a) {
        in[a] = load_complex(x + ((p + a * parts) * before + q) * kSize);
        if (a > 0 && q > 0) in[a] = times(in[a], turn + 2 * (a - 1));
      }
      Transform()(in, out, turn);
      for (int b = 0; b < r; ++b) store_complex(y + ((p * r + b) * before + q) * kSize, out[b]);
    }
  }
}

/// The same for any radix r.
template <class T>
void stage_of(int r, std::int64_t parts, std::int64_t before, const T* x, T* y, const T* turns) {
  constexpr std::int64_t kSize = 2 * kLanes<T>;
  const T* roots = turns + 2 * (r - 1) * before;
  for (std::int64_t p = 0; p < parts; ++p)
    for (std::int64_t q = 0; q < before; ++q) {
      Complex<T> in[kMostRadix];
      for (int a = 0; a < r; ++a) {
        in[a] = load_complex(x + ((p + a * parts) * before + q) * kSize);
        if (a > 0) in[a] = times(in[a], turns + 2 * (q * (r - 1) + a - 1));
      }
      for (int b = 0; b < r; ++b) {
        Complex<T> sum = in[0];
        for (int a = 1, at = b; a < r; ++a, at = at + b < r ? at + b : at + b - r)
          sum = sum + times(in[a], roots + 2 * at);
        store_complex(y + ((p * r + b) * before + q) * kSize, sum);
      }
    }
}

/// The transform of x, which is overwritten as y is; where it is.
template <class T>
T* transform(const FftTables<T>& tables, T* x, T* y) {
  const T* turns = tables.turns;
  std::int64_t before = 1;
  for (std::int64_t i = 0; i < tables.stages; ++i) {
    const int r = tables.radices[i];
    const std::int64_t parts = tables.points / (before * r);
    switch (r) {
      case 2:
        stage<T, Two<T>>(parts, before, x, y, turns);
        break;
      case 3:
        stage<T, Three<T>>(parts, before, x, y, turns);
        break;
      case 4:
        stage<T, Four<T>>(parts, before, x, y, turns);
        break;
      case 5:
        stage<T, Five<T>>(parts, before, x, y, turns);
        break;
      default:
        stage_of(r, parts, before, x, y, turns);
    }
    turns += 2 * ((r - 1) * before + r);
    before *= r;
    T* const last = x;
    x = y;
    y = last;
  }
  return x;
}

/// `count` lines of a group as they lie in memory: element j of line i at [j * step + i * line], or, if starts is
/// given, at [starts[i] + j].
struct Lines {
  std::int64_t size, count, step, line;
  const std::int64_t* starts = nullptr;

  DLCORE_INLINE std::int64_t start(int i) const { return starts ? starts[i] : i * line; }
};

/// to[j * stride] <- element j of each line, a lane each; lanes without a line are 0.
template <class T>
void read_lines(const Lines& lines, const T* from, T* to, std::int64_t stride) {
  constexpr int kWidth = kLanes<T>;
  const int count = static_cast<int>(lines.count);
  if (lines.line == 1) {
    for (std::int64_t j = 0; j < lines.size; ++j) store(to + j * stride, load_partial(from + j * lines.step, count));
    return;
  }
  for (std::int64_t j = 0; j < lines.size; j += kWidth) {
    const int columns = static_cast<int>(min_of<std::int64_t>(kWidth, lines.size - j));
    vec<T> rows[kWidth]{};
    if (columns == kWidth)
      for (int i = 0; i < count; ++i) rows[i] = load(from + lines.start(i) + j);
    else
      for (int i = 0; i < count; ++i) rows[i] = load_partial(from + lines.start(i) + j, columns);
    transpose<T>(rows);
    for (int i = 0; i < columns; ++i) store(to + (j + i) * stride, rows[i]);
  }
}

/// The opposite. Of each two elements the second comes first if exchanged.
template <class T>
void write_lines(const Lines& lines, const T* from, std::int64_t stride, bool exchanged, T* to) {
  constexpr int kWidth = kLanes<T>;
  const int count = static_cast<int>(lines.count);
  if (lines.line == 1) {
    for (std::int64_t j = 0; j < lines.size; ++j) store_partial(to + j * lines.step, load(from + j * stride), count);
    return;
  }
  for (std::int64_t j = 0; j < lines.size; j += kWidth) {
    const int columns = static_cast<int>(min_of<std::int64_t>(kWidth, lines.size - j));
    vec<T> rows[kWidth]{};
    for (int i = 0; i < columns; ++i) rows[i] = load(from + ((j + i) ^ (exchanged ? 1 : 0)) * stride);
    transpose<T>(rows);
    if (columns == kWidth)
      for (int i = 0; i < count; ++i) store(to + i * lines.line + j, rows[i]);
    else
      for (int i = 0; i < count; ++i) store_partial(to + i * lines.line + j, rows[i], columns);
  }
}

/// y[k], k <= points, of 2 points real numbers from z, the transform of the even ones + i times the odd ones.
template <class T>
void real_from_complex(const FftTables<T>& tables, const T* z, T* y) {
  constexpr std::int64_t kSize = 2 * kLanes<T>;
  const std::int64_t n = tables.points;
  for (std::int64_t k = 0; k <= n; ++k) {
    const Complex<T> a = load_complex(z + (k == n ? 0 : k) * kSize);
    Complex<T> b = load_complex(z + (k == 0 ? 0 : n - k) * kSize);
    b.im = -b.im;
    const Complex<T> even = scaled(T(0.5), a + b), odd = scaled(T(0.5), turned_back(a - b));
    store_complex(y + k * kSize, even + times(odd, tables.real_turns + 2 * k));
  }
}

/// The opposite, over n; the parts of z are exchanged, so that its transform is the inverse one, parts exchanged.
template <class T>
void complex_from_real(const FftTables<T>& tables, const T* y, T* z) {
  constexpr std::int64_t kSize = 2 * kLanes<T>;
  const std::int64_t n = tables.points;
  const T scale = T(0.5) / static_cast<T>(n);
  for (std::int64_t k = 0; k < n; ++k) {
    Complex<T> a = load_complex(y + k * kSize), b = load_complex(y + (n - k) * kSize);
    if (k == 0) a.im = b.im = vec<T>{};
    b.im = -b.im;
    const T conjugate[2] = {tables.real_turns[2 * k], -tables.real_turns[2 * k + 1]};
    const Complex<T> even = a + b, odd = times(a - b, conjugate);
    store_complex(z + k * kSize, scaled(scale, Complex<T>{even.im + odd.re, even.re - odd.im}));
  }
}

/// The same of an odd number of them, which are transformed as complex ones.
template <class T>
void complex_from_odd(const FftTables<T>& tables, const T* y, T* z) {
  constexpr std::int64_t kSize = 2 * kLanes<T>;
  const std::int64_t n = tables.points;
  const T scale = T(1) / static_cast<T>(n);
  for (std::int64_t k = 0; k <= n / 2; ++k) {
    Complex<T> a = load_complex(y + k * kSize);
    if (k == 0) a.im = vec<T>{};
    store_complex(z + k * kSize, scaled(scale, Complex<T>{a.im, a.re}));
    if (k > 0) store_complex(z + (n - k) * kSize, scaled(scale, Complex<T>{-a.im, a.re}));
  }
}

template <class T>
void group(const FftTables<T>& tables, std::int64_t number, const T* x_re, const T* x_im, const T* window, T* y_re,
           T* y_im, T* work) {
  constexpr std::int64_t kWidth = kLanes<T>, kSize = 2 * kWidth;
  const FftShape& s = tables.shape;
  T *x = work, *y = work + (tables.points + 1) * kSize;
  if (s.kind == FftKind::Complex) {
    Lines lines{s.n, 0, s.inners, s.inners == 1 ? s.n : 1};
    std::int64_t at;
    if (s.inners == 1) {
      lines.count = min_of(kWidth, s.outer - number * kWidth);
      at = number * kWidth * s.n;
    } else {
      const std::int64_t per = (s.inners + kWidth - 1) / kWidth, first = number % per * kWidth;
      lines.count = min_of(kWidth, s.inners - first);
      at = number / per * s.n * s.inners + first;
    }
    read_lines(lines, x_re + at, x, kSize);
    read_lines(lines, x_im + at, x + kWidth, kSize);
    const T* found = transform(tables, x, y);
    write_lines(lines, found, kSize, false, y_re + at);
    return write_lines(lines, found + kWidth, kSize, false, y_im + at);
  }
  const bool even = s.n % 2 == 0;
  const std::int64_t first = number * kWidth, count = min_of(kWidth, s.outer - first), half = s.n / 2 + 1;
  const Lines complex{half, count, 1, half};
  if (s.kind == FftKind::Real) {
    if (!even)
      for (std::int64_t j = 0; j < s.n; ++j) store(x + j * kSize + kWidth, vec<T>{});
    std::int64_t starts[kWidth];
    for (std::int64_t i = 0; i < count; ++i)
      starts[i] = (first + i) / s.frames * s.length + (first + i) % s.frames * s.step;
    const std::int64_t stride = even ? kWidth : kSize;
    read_lines(Lines{s.n, count, 1, 0, starts}, x_re, x, stride);
    if (window)
      for (std::int64_t j = 0; j < s.n; ++j) store(x + j * stride, broadcast(window[j]) * load(x + j * stride));
    T* found = transform(tables, x, y);
    if (even) {
      T* const other = found == x ? y : x;
      real_from_complex(tables, found, other);
      found = other;
    }
    write_lines(complex, found, kSize, false, y_re + first * half);
    return write_lines(complex, found + kWidth, kSize, false, y_im + first * half);
  }
  read_lines(complex, x_re + first * half, x, kSize);
  read_lines(complex, x_im + first * half, x + kWidth, kSize);
  even ? complex_from_real(tables, x, y) : complex_from_odd(tables, x, y);
  const T* found = transform(tables, y, x);
  write_lines(Lines{s.n, count, 1, s.n}, even ? found : found + kWidth, even ? kWidth : kSize, even,
              y_re + first * s.n);
}

}  // namespace

constexpr FftKernels fft_kernels_table = {{kLanes<float>, group<float>}, {kLanes<double>, group<double>}};

}  // namespace dlcore::DLCORE_ISA
