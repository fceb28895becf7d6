#include "kernels/fft/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(FftKernels, fft_kernels)

namespace {

/// The factors of n: fours first, then a two, then odd primes.
std::vector<int> radices_of(std::int64_t n) {
  std::vector<int> found;
  for (; n % 4 == 0 && n > 0; n /= 4) found.push_back(4);
  for (int prime = 2; n > 1 && prime <= kMostRadix; ++prime)
    for (; n % prime == 0; n /= prime) found.push_back(prime);
  if (n > 1) found.clear();
  return found;
}

template <class T>
void add_turn(std::vector<T>& to, std::int64_t numerator, std::int64_t n) {
  const double angle = -2 * std::numbers::pi * static_cast<double>(numerator % n) / static_cast<double>(n);
  to.push_back(static_cast<T>(std::cos(angle)));
  to.push_back(static_cast<T>(std::sin(angle)));
}

template <class T>
const FftEntry<T>& entry() {
  if constexpr (std::is_same_v<T, float>)
    return fft_kernels().f32;
  else
    return fft_kernels().f64;
}

std::int64_t groups_of(const FftShape& s, std::int64_t lanes) {
  return s.inners == 1 ? (s.outer + lanes - 1) / lanes : s.outer * ((s.inners + lanes - 1) / lanes);
}

}  // namespace

bool has_fft(std::int64_t n) { return n == 1 || !radices_of(n).empty(); }

template <class T>
FftPlan<T> plan_fft(const FftShape& shape) {
  const std::int64_t n = shape.n, lanes = entry<T>().lanes;
  const bool halved = shape.kind != FftKind::Complex && n % 2 == 0;
  FftPlan<T> plan{.shape = shape, .points = halved ? n / 2 : n, .radices = {}, .turns = {}, .real_turns = {}};
  plan.radices = radices_of(plan.points);
  std::int64_t before = 1;
  double work = 0;
  for (const int r : plan.radices) {
    for (std::int64_t q = 0; q < before; ++q)
      for (int a = 1; a < r; ++a) add_turn(plan.turns, a * q, before * r);
    for (int a = 0; a < r; ++a) add_turn(plan.turns, a, r);
    before *= r;
    work += r <= 5 ? 4 : r;
  }
  if (halved)
    for (std::int64_t k = 0; k <= plan.points; ++k) add_turn(plan.real_turns, k, n);
  const std::int64_t groups = groups_of(shape, lanes);
  plan.cost = static_cast<double>(groups * plan.points) * (3 * work + 10);
  plan.workers = workers_for(groups);
  plan.scratch_bytes = static_cast<std::size_t>(plan.workers * 4 * lanes * (plan.points + 1)) * sizeof(T);
  return plan;
}

template <class T>
void fft(const FftPlan<T>& plan, const T* x_re, const T* x_im, const T* window, T* y_re, T* y_im, void* scratch) {
  const FftEntry<T>& with = entry<T>();
  const FftTables<T> tables{plan.shape,          plan.points,       static_cast<std::int64_t>(plan.radices.size()),
                            plan.radices.data(), plan.turns.data(), plan.real_turns.data()};
  parallel_for_workers(groups_of(plan.shape, with.lanes), plan.cost, plan.workers, [&](std::int64_t group, int worker) {
    T* work = static_cast<T*>(scratch) + worker * 4 * with.lanes * (plan.points + 1);
    with.group(tables, group, x_re, x_im, window, y_re, y_im, work);
  });
}

template FftPlan<float> plan_fft(const FftShape&);
template FftPlan<double> plan_fft(const FftShape&);
template void fft(const FftPlan<float>&, const float*, const float*, const float*, float*, float*, void*);
template void fft(const FftPlan<double>&, const double*, const double*, const double*, double*, double*, void*);

}  // namespace dlcore
