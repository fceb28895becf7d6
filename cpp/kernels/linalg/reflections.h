// Householder's reflections 1 - beta v v^T, and products of them that are applied as products of blocks.
#pragma once

#include <cstdint>

namespace dlcore {

/// So many reflections are joined at most.
constexpr std::int64_t kPanel = 32;

/// A power of two that makes the greatest |x[i]| a number from 1 to 2, or what is possible of that; 1 if all are 0, NaN
/// if one is not finite.
double scale_of(std::int64_t count, const double* x);

/// x [n] <- the v of the reflection of x onto its first axis. value: what is there then; beta 0: x lies there already.
struct Reflection {
  double beta, value;
};
Reflection reflect_onto_axis(std::int64_t n, double* x);

/// Reflections in order, the first applied last: rows v [count,m], v_row apart, and beta [count]; row i is zero up to
/// element i.
struct Reflections {
  std::int64_t count, m;
  const double *v, *beta;
  std::int64_t v_row;
};

/// t [count,count], upper: the product of at most kPanel reflections is 1 - V T V^T with the columns v of V (Schreiber
/// & Van Loan 1989).
void join_reflections(const Reflections& h, double* t);

/// x [m,columns], of rows x_row apart, <- (1 - V T V^T) x, or its transpose.  work: 2 count columns doubles.
void apply_joined(const Reflections& h, const double* t, bool transpose, std::int64_t columns, double* x,
                  std::int64_t x_row, double* work);

/// x [m,columns] <- the product of all reflections times x, or the transpose of that.
/// work: kPanel * (kPanel + 2 columns) doubles.
void apply_reflections(const Reflections& h, bool transpose, std::int64_t columns, double* x, std::int64_t x_row,
                       double* work);

/// q [m,kept], of rows q_row apart, <- the first columns of the product of all reflections.  work: as above for `kept`.
void form_columns(const Reflections& h, std::int64_t kept, double* q, std::int64_t q_row, double* work);

/// x [m + corner, m + corner], in strips, <- rows that are the columns of the product of all reflections, below and
/// right of an identity [corner,corner].  work: as for form_columns, and m m doubles.
void form_rows(const Reflections& h, std::int64_t corner, double* x, double* work);

}  // namespace dlcore
