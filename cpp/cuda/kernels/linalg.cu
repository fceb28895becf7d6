#include "cuda/kernels/linalg.h"

#include <algorithm>

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

constexpr double kEpsilon = 0x1p-52;
constexpr int kMaxSteps = 60;  // sweeps, or steps per eigenvalue; NaN never converges

// ---- what the threads of a block do together

/// f(i), i < n, shared out; all have finished when it returns.
template <class F>
__device__ void share(std::int64_t n, const F& f) {
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) f(i);
  __syncthreads();
}
/// The sum of f(i), i < n, in every thread.
template <class F>
__device__ double shared_sum(std::int64_t n, const F& f) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += f(i);
  return block_reduce(sum, Add());
}
template <class F>
__device__ double shared_maximum(std::int64_t n, const F& f) {
  double best = -INFINITY;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) best = Greater()(f(i), best);
  return block_reduce(best, Greater());
}

/// The pairs of round `round` of a tournament of an even number of players: pair k, k < players / 2. Every two meet
/// once in players - 1 rounds.
struct Pair {
  std::int64_t p, q;
  __device__ Pair(std::int64_t players, std::int64_t round, std::int64_t k) {
    const std::int64_t others = players - 1;
    const std::int64_t a = k == 0 ? others : (round + k) % others, b = (round + others - k) % others;
    p = a < b ? a : b;
    q = a < b ? b : a;
  }
};

/// tan of the angle that makes a product vanish, from the squares of both and their product.
__device__ double tangent_of(double squares_p, double squares_q, double product) {
  const double zeta = (squares_q - squares_p) / (2.0 * product);
  return copysign(1.0, zeta) / (fabs(zeta) + hypot(1.0, zeta));
}

/// rank[i]: where values[i] stands in order, equal ones by number.
__device__ void rank_values(std::int64_t n, const double* values, bool descending, double* rank) {
  share(n, [&](std::int64_t i) {
    std::int64_t before = 0;
    for (std::int64_t j = 0; j < n; ++j)
      before += descending ? values[j] > values[i] || (values[j] == values[i] && j < i)
                           : values[j] < values[i] || (values[j] == values[i] && j < i);
    rank[i] = static_cast<double>(before);
  });
}

// ---- eigh

/// Scratch of a matrix: a [n,n], rows of v [n,n], cosines and sines [2n], values [n] and ranks [n].
template <class T>
__global__ void eigh_kernel(std::int64_t n, const T* x, T* w, T* v_out, double* scratch) {
  const std::int64_t matrix = blockIdx.x;
  double *a = scratch + matrix * (2 * n * n + 4 * n), *v = a + n * n, *turns = v + n * n, *value = turns + 2 * n,
         *rank = value + n;
  x += matrix * n * n;
  share(n * n, [&](std::int64_t i) {
    a[i] = x[i];
    v[i] = i / n == i % n ? 1.0 : 0.0;
  });
  const std::int64_t players = n + n % 2;
  const double whole = shared_sum(n * n, [&](std::int64_t i) { return a[i] * a[i]; });
  for (int sweep = 0; sweep < kMaxSteps; ++sweep) {
    const double off = shared_sum(n * n, [&](std::int64_t i) { return i / n == i % n ? 0.0 : a[i] * a[i]; });
    if (!(off > kEpsilon * kEpsilon * whole)) break;
    for (std::int64_t round = 0; round + 1 < players; ++round) {
      share(players / 2, [&](std::int64_t k) {
        const Pair pair(players, round, k);
        double c = 1, s = 0;
        if (pair.q < n && a[pair.p * n + pair.q] != 0) {
          const double t = tangent_of(a[pair.p * n + pair.p], a[pair.q * n + pair.q], a[pair.p * n + pair.q]);
          c = 1.0 / hypot(1.0, t);
          s = c * t;
        }
        turns[2 * k] = c;
        turns[2 * k + 1] = s;
      });
      // Rows of a and v, then columns of a.
      for (int columns = 0; columns < 2; ++columns)
        share(players / 2 * n, [&](std::int64_t i) {
          const std::int64_t k = i / n, j = i % n;
          const Pair pair(players, round, k);
          if (pair.q >= n) return;
          const double c = turns[2 * k], s = turns[2 * k + 1];
          const auto turn = [&](double& p, double& q) {
            const double old = p;
            p = c * old - s * q;
            q = s * old + c * q;
          };
          if (columns) return turn(a[j * n + pair.p], a[j * n + pair.q]);
          turn(a[pair.p * n + j], a[pair.q * n + j]);
          turn(v[pair.p * n + j], v[pair.q * n + j]);
        });
    }
  }
  share(n, [&](std::int64_t i) { value[i] = a[i * n + i]; });
  rank_values(n, value, false, rank);
  share(n, [&](std::int64_t i) { w[matrix * n + static_cast<std::int64_t>(rank[i])] = static_cast<T>(value[i]); });
  share(n * n, [&](std::int64_t i) {
    const std::int64_t row = i / n, j = i % n;
    v_out[(matrix * n + j) * n + static_cast<std::int64_t>(rank[row])] = static_cast<T>(v[i]);
  });
}

// ---- svd

/// Fills rows [have, want) of q [want,n] so that all rows are orthonormal: each from the axis that the rows before it
/// reach least.
__device__ void complete_rows(std::int64_t have, std::int64_t want, std::int64_t n, double* q) {
  for (std::int64_t row = have; row < want; ++row) {
    const auto left = [&](std::int64_t j) {
      double rest = 1;
      for (std::int64_t i = 0; i < row; ++i) rest -= q[i * n + j] * q[i * n + j];
      return rest;
    };
    const double most = shared_maximum(n, left);
    const double axis =
        -shared_maximum(n, [&](std::int64_t j) { return left(j) == most ? -static_cast<double>(j) : -INFINITY; });
    share(n, [&](std::int64_t j) { q[row * n + j] = static_cast<double>(j) == axis ? 1.0 : 0.0; });
    for (int pass = 0; pass < 2; ++pass)
      for (std::int64_t i = 0; i < row; ++i) {
        const double product = shared_sum(n, [&](std::int64_t j) { return q[i * n + j] * q[row * n + j]; });
        share(n, [&](std::int64_t j) { q[row * n + j] -= product * q[i * n + j]; });
      }
    const double length = sqrt(shared_sum(n, [&](std::int64_t j) { return q[row * n + j] * q[row * n + j]; }));
    share(n, [&](std::int64_t j) { q[row * n + j] /= length; });
  }
}

/// Sizes of one matrix seen with its shorter side as rows.
struct SvdShape {
  std::int64_t few, many, kept;  // kept: orthonormal rows of the longer side that are wanted
  bool wide;
  __host__ __device__ std::int64_t doubles() const { return few * many + kept * many + 2 * few * few + 2 * few; }
};

/// A warp turns a pair of rows; the pairs of a round are disjoint. u_out and vh_out may be null together.
template <class T, class Out>
__global__ void svd_kernel(SvdShape s, const T* x, Out* u_out, Out* s_out, Out* vh_out, double* scratch) {
  const std::int64_t matrix = blockIdx.x, few = s.few, many = s.many;
  double *a = scratch + matrix * s.doubles(), *rows = a + few * many, *v = rows + s.kept * many,
         *v_rows = v + few * few, *value = v_rows + few * few, *rank = value + few;
  x += matrix * few * many;
  share(few * many, [&](std::int64_t i) { a[i] = s.wide ? x[i] : x[i % many * few + i / many]; });
  share(few * few, [&](std::int64_t i) { v[i] = i / few == i % few ? 1.0 : 0.0; });
  const std::int64_t players = few + few % 2, warps = blockDim.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int sweep = 0; sweep < kMaxSteps; ++sweep) {
    double turned = 0;
    for (std::int64_t round = 0; round + 1 < players; ++round) {
      for (std::int64_t k = threadIdx.x / kWarp; k < players / 2; k += warps) {
        const Pair pair(players, round, k);
        if (pair.q >= few) continue;
        double *p = a + pair.p * many, *q = a + pair.q * many;
        double squares_p = 0, squares_q = 0, product = 0;
        for (std::int64_t j = lane; j < many; j += kWarp) {
          squares_p += p[j] * p[j];
          squares_q += q[j] * q[j];
          product += p[j] * q[j];
        }
        squares_p = warp_reduce(squares_p, Add());
        squares_q = warp_reduce(squares_q, Add());
        product = warp_reduce(product, Add());
        if (!(fabs(product) > kEpsilon * sqrt(squares_p * squares_q))) continue;
        turned = 1;
        const double t = tangent_of(squares_p, squares_q, product), c = 1.0 / hypot(1.0, t), sine = c * t;
        const auto turn = [&](double& above, double& below) {
          const double old = above;
          above = c * old - sine * below;
          below = sine * old + c * below;
        };
        for (std::int64_t j = lane; j < many; j += kWarp) turn(p[j], q[j]);
        for (std::int64_t j = lane; j < few; j += kWarp) turn(v[pair.p * few + j], v[pair.q * few + j]);
      }
      __syncthreads();
    }
    if (!(block_reduce(turned, Greater()) > 0)) break;
  }
  share(few, [&](std::int64_t i) {
    double squares = 0;
    for (std::int64_t j = 0; j < many; ++j) squares += a[i * many + j] * a[i * many + j];
    value[i] = sqrt(squares);
  });
  rank_values(few, value, true, rank);
  // In order, of length 1.
  share(few * many, [&](std::int64_t i) {
    const auto to = static_cast<std::int64_t>(rank[i / many]);
    rows[to * many + i % many] = value[i / many] > 0 ? a[i] / value[i / many] : 0.0;
  });
  share(few * few, [&](std::int64_t i) { v_rows[static_cast<std::int64_t>(rank[i / few]) * few + i % few] = v[i]; });
  share(few,
        [&](std::int64_t i) { s_out[matrix * few + static_cast<std::int64_t>(rank[i])] = static_cast<Out>(value[i]); });
  if (!u_out) return;
  const auto have =
      static_cast<std::int64_t>(shared_sum(few, [&](std::int64_t i) { return value[i] > 0 ? 1.0 : 0.0; }));
  complete_rows(have, s.kept, many, rows);
  // The longer side is vh where x is wide, else u.
  Out* longer = (s.wide ? vh_out : u_out) + matrix * s.kept * many;
  Out* shorter = (s.wide ? u_out : vh_out) + matrix * few * few;
  share(s.kept * many,
        [&](std::int64_t i) { longer[s.wide ? i : i % many * s.kept + i / many] = static_cast<Out>(rows[i]); });
  share(few * few,
        [&](std::int64_t i) { shorter[s.wide ? i % few * few + i / few : i] = static_cast<Out>(v_rows[i]); });
}

// ---- lstsq

/// x = v s^-1 u^T b, without the singular values that count as 0.  y: k columns doubles of a matrix.
template <class T>
__global__ void lstsq_kernel(std::int64_t m, std::int64_t n, std::int64_t columns, double rcond, const double* u,
                             const double* s, const double* vh, const T* b, double* y, T* x) {
  const std::int64_t matrix = blockIdx.x, k = m < n ? m : n;
  u += matrix * m * k;
  s += matrix * k;
  vh += matrix * k * n;
  b += matrix * m * columns;
  y += matrix * k * columns;
  share(k * columns, [&](std::int64_t e) {
    const std::int64_t i = e / columns, c = e % columns;
    double sum = 0;
    for (std::int64_t r = 0; r < m; ++r) sum += u[r * k + i] * static_cast<double>(b[r * columns + c]);
    y[e] = s[i] <= rcond * s[0] ? 0.0 : sum / s[i];
  });
  share(n * columns, [&](std::int64_t e) {
    double sum = 0;
    for (std::int64_t i = 0; i < k; ++i) sum += vh[i * n + e / columns] * y[i * columns + e % columns];
    x[matrix * n * columns + e] = static_cast<T>(sum);
  });
}

// ---- eig

struct Complex {
  double re, im;
};
__device__ Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
__device__ Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
__device__ Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
__device__ Complex operator*(double a, Complex b) { return {a * b.re, a * b.im}; }
__device__ Complex operator/(Complex a, double b) { return {a.re / b, a.im / b}; }
__device__ Complex conj(Complex a) { return {a.re, -a.im}; }
__device__ double norm(Complex a) { return a.re * a.re + a.im * a.im; }
__device__ double abs_of(Complex a) { return hypot(a.re, a.im); }
__device__ Complex operator/(Complex a, Complex b) {  // Smith 1962: no overflow on the way
  if (fabs(b.re) >= fabs(b.im)) {
    const double r = b.im / b.re, d = b.re + b.im * r;
    return {(a.re + a.im * r) / d, (a.im - a.re * r) / d};
  }
  const double r = b.re / b.im, d = b.re * r + b.im;
  return {(a.re * r + a.im) / d, (a.im * r - a.re) / d};
}
/// With a real part of at least 0.
__device__ Complex root_of(Complex a) {
  const double length = abs_of(a), re = sqrt((length + fabs(a.re)) / 2);
  if (re == 0) return {0, 0};
  return a.re >= 0 ? Complex{re, a.im / (2 * re)} : Complex{fabs(a.im) / (2 * re), copysign(re, a.im)};
}

/// a <- q^H a q, zero below the first subdiagonal; v <- q.
__device__ void to_hessenberg(std::int64_t n, Complex* a, Complex* v, Complex* x) {
  for (std::int64_t k = 0; k + 2 < n; ++k) {
    const std::int64_t first = k + 1, rest = n - first;
    share(rest, [&](std::int64_t i) { x[first + i] = a[(first + i) * n + k]; });
    const double squared = shared_sum(rest, [&](std::int64_t i) { return norm(x[first + i]); });
    const Complex head = x[first];
    const double size = abs_of(head);
    const Complex phase = size > 0 ? head / size : Complex{1, 0};
    __syncthreads();
    if (threadIdx.x == 0) x[first] = head + sqrt(squared) * phase;
    __syncthreads();
    const double length = shared_sum(rest, [&](std::int64_t i) { return norm(x[first + i]); });
    if (!(length > 0)) continue;
    share(n, [&](std::int64_t j) {  // a <- (1 - 2 x x^H / |x|^2) a
      Complex sum{0, 0};
      for (std::int64_t i = first; i < n; ++i) sum = sum + conj(x[i]) * a[i * n + j];
      sum = 2.0 / length * sum;
      for (std::int64_t i = first; i < n; ++i) a[i * n + j] = a[i * n + j] - x[i] * sum;
    });
    share(2 * n, [&](std::int64_t r) {  // a and v <- themselves times the same
      Complex* row = (r < n ? a : v) + r % n * n;
      Complex sum{0, 0};
      for (std::int64_t j = first; j < n; ++j) sum = sum + row[j] * x[j];
      sum = 2.0 / length * sum;
      for (std::int64_t j = first; j < n; ++j) row[j] = row[j] - sum * conj(x[j]);
    });
  }
}

/// The eigenvalue of the block [last-1, last] that is nearer to its last element.
__device__ Complex wilkinson_shift(std::int64_t n, std::int64_t last, const Complex* a) {
  const Complex p = a[(last - 1) * n + last - 1], q = a[(last - 1) * n + last];
  const Complex r = a[last * n + last - 1], t = a[last * n + last];
  const Complex middle = 0.5 * (p + t), root = root_of(0.25 * (p - t) * (p - t) + q * r);
  const Complex one = middle + root, other = middle - root;
  return abs_of(one - t) < abs_of(other - t) ? one : other;
}

/// One QR step on the block [first, last] of the Hessenberg matrix a, all of whose rows and columns are turned; v too.
__device__ void qr_step(std::int64_t n, std::int64_t first, std::int64_t last, Complex shift, Complex* a, Complex* v,
                        Complex* g) {
  share(last - first + 1, [&](std::int64_t i) { a[(first + i) * (n + 1)] = a[(first + i) * (n + 1)] - shift; });
  for (std::int64_t k = first; k < last; ++k) {
    const Complex x = a[k * n + k], y = a[(k + 1) * n + k];
    const double length = hypot(abs_of(x), abs_of(y));
    const Complex c = length > 0 ? x / length : Complex{1, 0}, s = length > 0 ? y / length : Complex{0, 0};
    __syncthreads();  // all have read x and y
    if (threadIdx.x == 0) g[2 * k] = c, g[2 * k + 1] = s;
    share(n - k, [&](std::int64_t i) {
      const std::int64_t j = k + i;
      const Complex upper = a[k * n + j], lower = a[(k + 1) * n + j];
      a[k * n + j] = conj(c) * upper + conj(s) * lower;
      a[(k + 1) * n + j] = c * lower - s * upper;
    });
  }
  // A row goes through all turns of its columns by itself.
  share(2 * n, [&](std::int64_t r) {
    const bool of_a = r < n;
    const std::int64_t i = r % n;
    Complex* row = (of_a ? a : v) + i * n;
    for (std::int64_t k = first; k < last; ++k) {
      if (of_a && i >= (k + 2 < last + 1 ? k + 2 : last + 1)) continue;
      const Complex c = g[2 * k], s = g[2 * k + 1], left = row[k], right = row[k + 1];
      row[k] = left * c + right * s;
      row[k + 1] = right * conj(c) - left * conj(s);
    }
  });
  share(last - first + 1, [&](std::int64_t i) { a[(first + i) * (n + 1)] = a[(first + i) * (n + 1)] + shift; });
}

/// Columns of v <- v times the eigenvectors of the triangular a, of norm 1, the greatest element real and positive.
__device__ void triangular_eigenvectors(std::int64_t n, const Complex* a, Complex* v, Complex* y) {
  const double size = shared_maximum(n * n, [&](std::int64_t i) { return abs_of(a[i]); });
  const double least = kEpsilon * size > 0x1p-1022 ? kEpsilon * size : 0x1p-1022;
  for (std::int64_t k = n - 1; k >= 0; --k) {
    if (threadIdx.x == 0) y[k] = {1, 0};
    __syncthreads();
    for (std::int64_t i = k - 1; i >= 0; --i) {
      const double re = shared_sum(k - i, [&](std::int64_t j) { return (a[i * n + i + 1 + j] * y[i + 1 + j]).re; });
      const double im = shared_sum(k - i, [&](std::int64_t j) { return (a[i * n + i + 1 + j] * y[i + 1 + j]).im; });
      Complex gap = a[k * n + k] - a[i * n + i];
      if (abs_of(gap) < least) gap = {least, 0};
      if (threadIdx.x == 0) y[i] = Complex{re, im} / gap;
      __syncthreads();
    }
    share(n, [&](std::int64_t i) {
      Complex sum{0, 0};
      for (std::int64_t j = 0; j <= k; ++j) sum = sum + v[i * n + j] * y[j];
      v[i * n + k] = sum;
    });
    const double squared = shared_sum(n, [&](std::int64_t i) { return norm(v[i * n + k]); });
    double greatest = -1;
    Complex phase{1, 0};
    for (std::int64_t i = 0; i < n; ++i) {  // every thread for itself
      const double length = abs_of(v[i * n + k]);
      if (length > greatest * (1 + 8 * kEpsilon)) greatest = length, phase = conj(v[i * n + k]);
    }
    __syncthreads();
    const Complex scale = greatest > 0 ? phase / greatest / sqrt(squared) : Complex{1, 0};
    share(n, [&](std::int64_t i) { v[i * n + k] = v[i * n + k] * scale; });
  }
}

template <class T>
__global__ void eig_kernel(std::int64_t n, const T* x, T* w_re, T* w_im, T* v_re, T* v_im, double* scratch) {
  const std::int64_t matrix = blockIdx.x;
  Complex *a = reinterpret_cast<Complex*>(scratch) + matrix * (2 * n * n + 3 * n), *v = a + n * n, *g = v + n * n;
  x += matrix * n * n;
  share(n * n, [&](std::int64_t i) {
    a[i] = {static_cast<double>(x[i]), 0};
    v[i] = {i / n == i % n ? 1.0 : 0.0, 0};
  });
  to_hessenberg(n, a, v, g);
  std::int64_t last = n - 1;
  for (int step = 0; last > 0;) {  // every thread decides the same from the same numbers
    std::int64_t first = last;
    while (first > 0) {
      const double below = abs_of(a[first * n + first - 1]);
      const double beside = abs_of(a[first * n + first]) + abs_of(a[(first - 1) * n + first - 1]);
      if (!(below > kEpsilon * beside)) break;
      --first;
    }
    const double edge = abs_of(a[last * n + last - 1]) + abs_of(a[last * n + last]);
    const Complex usual = wilkinson_shift(n, last, a);
    __syncthreads();
    if (first > 0 && threadIdx.x == 0) a[first * n + first - 1] = {0, 0};
    __syncthreads();
    if (first == last || step == kMaxSteps) {
      --last;
      step = 0;
      continue;
    }
    // Now and then another shift, for matrices that the usual one leaves as they are.
    qr_step(n, first, last, ++step % 10 == 0 ? Complex{edge, 0} : usual, a, v, g);
  }
  const double size = shared_maximum(n, [&](std::int64_t i) { return abs_of(a[i * n + i]); });
  share(n, [&](std::int64_t i) {
    const Complex w = a[i * n + i];
    const bool real = fabs(w.im) <= 1e-14 * n * size;  // what rounding leaves of its imaginary part
    w_re[matrix * n + i] = static_cast<T>(w.re);
    w_im[matrix * n + i] = static_cast<T>(real ? 0.0 : w.im);
  });
  triangular_eigenvectors(n, a, v, g);
  share(n * n, [&](std::int64_t i) {
    v_re[matrix * n * n + i] = static_cast<T>(v[i].re);
    v_im[matrix * n * n + i] = static_cast<T>(v[i].im);
  });
}

// ---- cholesky

/// Scratch of a matrix: a [n,n].
template <class T>
__global__ void cholesky_kernel(std::int64_t n, const T* x, T* lower, double* scratch) {
  const std::int64_t matrix = blockIdx.x;
  double* a = scratch + matrix * n * n;
  x += matrix * n * n;
  share(n * n, [&](std::int64_t i) { a[i] = x[i]; });
  for (std::int64_t k = 0; k < n; ++k) {
    const double head = a[k * n + k], root = head > 0 ? sqrt(head) : NAN;
    __syncthreads();
    share(n - k, [&](std::int64_t i) { a[(k + i) * n + k] /= root; });
    const std::int64_t rest = n - k - 1;
    share(rest * rest, [&](std::int64_t e) {
      const std::int64_t i = k + 1 + e / rest, j = k + 1 + e % rest;
      if (j <= i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    });
  }
  share(n * n, [&](std::int64_t i) { lower[matrix * n * n + i] = static_cast<T>(i % n <= i / n ? a[i] : 0.0); });
}

// ---- lu

/// Scratch of a matrix: a [m,n].
template <class T>
__global__ void lu_kernel(std::int64_t m, std::int64_t n, const T* x, T* lu, std::int32_t* pivots, std::int32_t* order,
                          double* scratch) {
  const std::int64_t matrix = blockIdx.x, steps = m < n ? m : n;
  double* a = scratch + matrix * m * n;
  x += matrix * m * n;
  order += matrix * m;
  share(m * n, [&](std::int64_t i) { a[i] = x[i]; });
  share(m, [&](std::int64_t i) { order[i] = static_cast<std::int32_t>(i); });
  for (std::int64_t k = 0; k < steps; ++k) {
    const double most = shared_maximum(m - k, [&](std::int64_t i) { return fabs(a[(k + i) * n + k]); });
    const double first = -shared_maximum(
        m - k, [&](std::int64_t i) { return fabs(a[(k + i) * n + k]) == most ? -static_cast<double>(i) : -INFINITY; });
    const std::int64_t pivot = first < INFINITY ? k + static_cast<std::int64_t>(first) : k;  // k: there is a NaN
    if (threadIdx.x == 0) {
      pivots[matrix * steps + k] = static_cast<std::int32_t>(pivot);
      const std::int32_t old = order[k];
      order[k] = order[pivot];
      order[pivot] = old;
    }
    if (pivot != k)
      share(n, [&](std::int64_t j) {
        const double old = a[k * n + j];
        a[k * n + j] = a[pivot * n + j];
        a[pivot * n + j] = old;
      });
    const double head = a[k * n + k];
    if (head == 0) continue;  // so is all below
    share(m - k - 1, [&](std::int64_t i) { a[(k + 1 + i) * n + k] /= head; });
    const std::int64_t rest = n - k - 1;
    share((m - k - 1) * rest, [&](std::int64_t e) {
      const std::int64_t i = k + 1 + e / rest, j = k + 1 + e % rest;
      a[i * n + j] -= a[i * n + k] * a[k * n + j];
    });
  }
  share(m * n, [&](std::int64_t i) { lu[matrix * m * n + i] = static_cast<T>(a[i]); });
}

// ---- triangular_solve

/// Scratch of a matrix: x [n,columns].
template <class T>
__global__ void triangular_solve_kernel(std::int64_t n, std::int64_t columns, TriangularSolve how, const T* a,
                                        const T* b, T* x_out, double* scratch) {
  const std::int64_t matrix = blockIdx.x;
  double* x = scratch + matrix * n * columns;
  a += matrix * n * n;
  const bool forward = how.lower != how.transpose;
  const auto element = [&](std::int64_t i, std::int64_t j) {
    return static_cast<double>(how.transpose ? a[j * n + i] : a[i * n + j]);
  };
  share(n * columns, [&](std::int64_t i) { x[i] = b[matrix * n * columns + i]; });
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t k = forward ? step : n - 1 - step, first = forward ? k + 1 : 0;
    if (!how.unit_diagonal) share(columns, [&](std::int64_t j) { x[k * columns + j] /= element(k, k); });
    share((n - 1 - step) * columns, [&](std::int64_t e) {
      const std::int64_t i = first + e / columns, j = e % columns;
      x[i * columns + j] -= element(i, k) * x[k * columns + j];
    });
  }
  share(n * columns, [&](std::int64_t i) { x_out[matrix * n * columns + i] = static_cast<T>(x[i]); });
}

// ---- qr

struct QrShape {
  std::int64_t m, n, kept, steps;
  __host__ __device__ std::int64_t doubles() const { return m * (n + kept + steps) + steps + n + kept; }
};

/// Columns from `first` on of x [m,columns] <- (1 - beta v v^T) of them; v is zero above row `first`.
__device__ void reflect(std::int64_t m, std::int64_t columns, std::int64_t first, const double* v, double beta,
                        double* x, double* along) {
  const std::int64_t rest = columns - first;
  share(rest, [&](std::int64_t j) {
    double sum = 0;
    for (std::int64_t i = first; i < m; ++i) sum += v[i] * x[i * columns + first + j];
    along[j] = beta * sum;
  });
  share((m - first) * rest, [&](std::int64_t e) {
    const std::int64_t i = first + e / rest, j = e % rest;
    x[i * columns + first + j] -= v[i] * along[j];
  });
}

/// Scratch of a matrix: a [m,n], q [m,kept], reflections [steps,m], their factors [steps], and what a reflection needs.
template <class T>
__global__ void qr_kernel(QrShape s, const T* x, T* q_out, T* r_out, double* scratch) {
  const std::int64_t matrix = blockIdx.x, m = s.m, n = s.n, kept = s.kept;
  double *a = scratch + matrix * s.doubles(), *q = a + m * n, *normals = q + m * kept, *factors = normals + s.steps * m,
         *along = factors + s.steps;
  share(m * n, [&](std::int64_t i) { a[i] = x[matrix * m * n + i]; });
  share(m * kept, [&](std::int64_t i) { q[i] = i / kept == i % kept ? 1.0 : 0.0; });
  for (std::int64_t k = 0; k < s.steps; ++k) {
    double* v = normals + k * m;
    const double squares = shared_sum(m - k, [&](std::int64_t i) { return a[(k + i) * n + k] * a[(k + i) * n + k]; });
    const double head = a[k * n + k], length = copysign(sqrt(squares), head < 0 ? -1.0 : 1.0);
    share(m - k, [&](std::int64_t i) { v[k + i] = a[(k + i) * n + k] + (i == 0 ? length : 0.0); });
    const double squared = shared_sum(m - k, [&](std::int64_t i) { return v[k + i] * v[k + i]; });
    const double beta = squared == 0 ? 0.0 : 2.0 / squared;
    if (threadIdx.x == 0) factors[k] = beta;
    reflect(m, n, k, v, beta, a, along);
  }
  for (std::int64_t k = s.steps - 1; k >= 0; --k) reflect(m, kept, k, normals + k * m, factors[k], q, along);
  share(m * kept, [&](std::int64_t i) { q_out[matrix * m * kept + i] = static_cast<T>(q[i]); });
  share(kept * n, [&](std::int64_t i) { r_out[matrix * kept * n + i] = static_cast<T>(i % n >= i / n ? a[i] : 0.0); });
}

/// body(T{}) for float and double.
template <class Body>
void with_real(DType dtype, const Body& body) {
  if (dtype == DType::F64)
    body(double{});
  else
    body(float{});
}

SvdShape svd_shape(std::int64_t rows, std::int64_t cols, bool full) {
  const std::int64_t few = std::min(rows, cols), many = std::max(rows, cols);
  return {few, many, full ? many : few, rows <= cols};
}

}  // namespace

std::size_t eigh_scratch_bytes(std::int64_t count, std::int64_t n) {
  return static_cast<std::size_t>(count * (2 * n * n + 4 * n)) * sizeof(double);
}
void eigh(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* w, void* v,
          void* scratch) {
  if (n == 0) return;
  with_real(dtype, [&]<class T>(T) {
    launch(eigh_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, n, static_cast<const T*>(x),
           static_cast<T*>(w), static_cast<T*>(v), static_cast<double*>(scratch));
  });
}

std::size_t svd_scratch_bytes(std::int64_t count, std::int64_t rows, std::int64_t cols, bool full) {
  return static_cast<std::size_t>(count * svd_shape(rows, cols, full).doubles()) * sizeof(double);
}
void svd(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t rows, std::int64_t cols, bool full,
         const void* x, void* u, void* s, void* vh, void* scratch) {
  with_real(dtype, [&]<class T>(T) {
    launch(svd_kernel<T, T>, static_cast<unsigned>(count), kThreads, 0, stream, svd_shape(rows, cols, full),
           static_cast<const T*>(x), static_cast<T*>(u), static_cast<T*>(s), static_cast<T*>(vh),
           static_cast<double*>(scratch));
  });
}

std::size_t lstsq_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t columns) {
  const std::int64_t k = std::min(m, n);
  return svd_scratch_bytes(count, m, n, false) +
         static_cast<std::size_t>(count * k * (m + 1 + n + columns)) * sizeof(double);
}
void lstsq(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t columns,
           double rcond, const void* a, const void* b, void* x, void* scratch) {
  const std::int64_t k = std::min(m, n);
  auto* u = reinterpret_cast<double*>(static_cast<std::byte*>(scratch) + svd_scratch_bytes(count, m, n, false));
  double *s = u + count * m * k, *vh = s + count * k, *y = vh + count * k * n;
  with_real(dtype, [&]<class T>(T) {
    launch(svd_kernel<T, double>, static_cast<unsigned>(count), kThreads, 0, stream, svd_shape(m, n, false),
           static_cast<const T*>(a), u, s, vh, static_cast<double*>(scratch));
    launch(lstsq_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, m, n, columns, rcond, u, s, vh,
           static_cast<const T*>(b), y, static_cast<T*>(x));
  });
}

std::size_t eig_scratch_bytes(std::int64_t count, std::int64_t n) {
  return static_cast<std::size_t>(count * (2 * n * n + 3 * n)) * sizeof(Complex);
}
void eig(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* w_re, void* w_im,
         void* v_re, void* v_im, void* scratch) {
  if (n == 0) return;
  with_real(dtype, [&]<class T>(T) {
    launch(eig_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, n, static_cast<const T*>(x),
           static_cast<T*>(w_re), static_cast<T*>(w_im), static_cast<T*>(v_re), static_cast<T*>(v_im),
           static_cast<double*>(scratch));
  });
}

std::size_t cholesky_scratch_bytes(std::int64_t count, std::int64_t n) {
  return static_cast<std::size_t>(count * n * n) * sizeof(double);
}
void cholesky(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* lower,
              void* scratch) {
  with_real(dtype, [&]<class T>(T) {
    launch(cholesky_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, n, static_cast<const T*>(x),
           static_cast<T*>(lower), static_cast<double*>(scratch));
  });
}

std::size_t lu_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n) {
  return static_cast<std::size_t>(count * m * n) * sizeof(double);
}
void lu(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, const void* x, void* lu,
        std::int32_t* pivots, std::int32_t* order, void* scratch) {
  with_real(dtype, [&]<class T>(T) {
    launch(lu_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, m, n, static_cast<const T*>(x),
           static_cast<T*>(lu), pivots, order, static_cast<double*>(scratch));
  });
}

std::size_t triangular_solve_scratch_bytes(std::int64_t count, std::int64_t n, std::int64_t columns) {
  return static_cast<std::size_t>(count * n * columns) * sizeof(double);
}
void triangular_solve(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, std::int64_t columns,
                      TriangularSolve how, const void* a, const void* b, void* x, void* scratch) {
  with_real(dtype, [&]<class T>(T) {
    launch(triangular_solve_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, n, columns, how,
           static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(x), static_cast<double*>(scratch));
  });
}

namespace {

QrShape qr_shape(std::int64_t m, std::int64_t n, std::int64_t kept) {
  return {m, n, kept, std::max<std::int64_t>(0, std::min(m - 1, n))};
}

}  // namespace

std::size_t qr_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t kept) {
  return static_cast<std::size_t>(count * qr_shape(m, n, kept).doubles()) * sizeof(double);
}
void qr(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t kept,
        const void* x, void* q, void* r, void* scratch) {
  with_real(dtype, [&]<class T>(T) {
    launch(qr_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream, qr_shape(m, n, kept),
           static_cast<const T*>(x), static_cast<T*>(q), static_cast<T*>(r), static_cast<double*>(scratch));
  });
}

}  // namespace dlcore::cuda
