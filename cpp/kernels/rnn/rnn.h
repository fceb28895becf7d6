/// Recurrent layers over whole sequences: LSTM (Hochreiter & Schmidhuber 1997, Gers et al. 2000), GRU (Cho et al. 2014)
/// and the simple (Elman) network, forward and backward through time.           T = float or double
///
/// At step s the input is x_t with t = s, or t = steps-1-s when `reverse`.  f: activation, g: recurrent_activation.
///   Lstm            i, f, c~, o = x_t w_x + h w_h + b;   c' = g(f) c + g(i) f(c~);   h' = g(o) f(c')
///   GruResetAfter   z, r, n = x_t w_x + b[0] and h w_h + b[1];   h' = g(z) h + (1 - g(z)) f(n_x + g(r) n_h)
///   GruResetBefore  z, r = x_t w_x + h w_h + b;   n = x_t w_x + (g(r) h) w_h + b;   h' = g(z) h + (1 - g(z)) f(n)
///   Simple          h' = f(x_t w_x + h w_h + b)
/// Where mask[b,t] is false, h and c stay and y repeats the last output (zeros before the first).
///
/// x [B,T,C]   w_x [C,G*U]   w_h [U,G*U]   b [G*U], for GruResetAfter [2,G*U] or (bias_rows = 1) [G*U]   h0, c0 [B,U]
/// mask [B,T] or null.  y [B,T,U] in the order of the steps.  h_T, c_T [B,U].  All dense; no alignment needed.
/// inverse [B,T] or null: x_t of batch row b is row inverse[b,t] of x as a matrix [B*T,C], counted by rnn_input_rows;
/// each of them is multiplied by w_x once, and dx has the sum over all places where it is.
/// workspace [T,B,rnn_workspace_size]: what the backward pass needs of every step (activated gates, states); null where
/// there is none.
/// scratch: as many bytes as RnnLayer and RnnGradient say, 64-byte aligned.
///
/// Backward: dy, dh_T, dc_T may be null (zero). Outputs are overwritten; dx may be null (not wanted).
/// Threads share the batch while rows go through time, or the units of every step where rows are few; then the products
/// that make the gradients of x and of the weights out of all steps. The same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/gemm/row_plans.h"

namespace dlcore {

enum class RnnCell { Lstm, GruResetAfter, GruResetBefore, Simple };

/// Those whose derivative is a function of their value, as Keras defines them.
enum class RnnActivation {
  Linear,
  Relu,
  Relu6,
  LeakyRelu,
  Tanh,
  HardTanh,
  Sigmoid,
  HardSigmoid,
  Softplus,
  Softsign,
  Elu,
  Selu,
  Exponential,
};

/// By Keras's name.
std::optional<RnnActivation> rnn_activation(std::string_view name);
/// All names, for messages.
std::string rnn_activation_names();

struct RnnShape {
  RnnCell cell = RnnCell::Lstm;
  std::int64_t batch, steps, channels, units;
  bool reverse = false;
  int bias_rows = 1;  // of b; 2 only for GruResetAfter
  RnnActivation activation = RnnActivation::Tanh;
  RnnActivation recurrent_activation = RnnActivation::Sigmoid;
  /// Of floats that were bfloat16: products may be those of factors rounded to it, and rounded themselves, where that
  /// takes less time. They are added up in float32.
  bool bfloat_products = false;
  std::int64_t most_input_rows = 0;  // that an inverse names, if it does not name one for each step; 0: there is none
  std::int64_t chunk_rows = 0;       // set here: batch rows of a chunk, where not as many as usual
  std::int64_t together = 1;         // set here: chunks that go through time together
};

/// G: columns of the weights in units.
[[gnu::always_inline]] constexpr int rnn_gates(RnnCell cell) {
  return cell == RnnCell::Lstm ? 4 : cell == RnnCell::Simple ? 1 : 3;
}

/// Columns of the weights.
[[gnu::always_inline]] inline std::int64_t rnn_cols(const RnnShape& s) { return rnn_gates(s.cell) * s.units; }

/// How many rows of x an inverse [pairs] names: it begins with 0, and goes on with numbers that came before or the next
/// new one. -1 for another sequence.
std::int64_t rnn_input_rows(const std::int32_t* inverse, std::int64_t pairs);

/// Elements that the workspace has per step and row.
std::int64_t rnn_workspace_size(const RnnShape& shape);

/// What multiplies with the recurrent weights at each step where it isn't the rows themselves (rounded_steps.h).
template <class T>
class RnnSteps {
 public:
  /// z (+)= a w, for one part of the weights and batch rows [first, first + rows).
  virtual void multiply(int part, std::int64_t first, std::int64_t rows, const T* a, T* z, bool accumulate) const = 0;

 protected:
  ~RnnSteps() = default;
};

template <class T>
struct RnnForward {
  const T *x, *w_x, *w_h, *b, *h0, *c0;
  const bool* mask;
  T *y, *h_T, *c_T, *workspace;
  const std::int32_t* inverse = nullptr;
  std::int64_t input_rows = 0;                 // of the inverse
  const T* x_products = nullptr;               // set by RnnLayer where these have been made: x w_x, for each row of x
  const Bfloat* rounded_x_products = nullptr;  // the same, rounded
  const RnnSteps<T>* steps = nullptr;          // set by RnnLayer; null for the rows' own
};

template <class T>
struct RnnBackward {
  const T *x, *w_x, *w_h;
  const bool* mask;
  const T *workspace, *dy, *dh_T, *dc_T;
  T *dx, *dw_x, *dw_h, *db, *dh0, *dc0;
  const std::int32_t* inverse = nullptr;
  std::int64_t input_rows = 0;
  const RnnSteps<T>* steps = nullptr;  // as RnnForward's
};

class RoundedSteps;

/// The forward pass, planned once for one shape.
template <class T>
class RnnLayer {
 public:
  explicit RnnLayer(const RnnShape& shape);
  std::size_t scratch_bytes() const { return at_.end; }
  bool rounds_products() const { return rounds_; }
  void run(const RnnForward<T>& io, void* scratch) const;

 private:
  /// Places in scratch, in bytes: products of x with w_x that are made first, what `steps_` needs, packed weights, then
  /// for each pass what it works in. What those products need is behind them, before the rest is.
  struct Places {
    std::size_t steps, packed, tasks, task_bytes, end;
  };

  template <class P>
  std::size_t plan_x_products();
  template <class P>
  const P* multiply_inputs(const RnnForward<T>& io, std::byte* scratch) const;

  RnnShape shape_;
  bool rounds_;                                // x, w_x and their products
  RowPlans x_products_;                        // where they are made first
  std::shared_ptr<const RoundedSteps> steps_;  // null for the rows' own products
  Places at_{};
};

/// The backward pass, planned once for one shape.
template <class T>
class RnnGradient {
 public:
  explicit RnnGradient(const RnnShape& shape);
  std::size_t scratch_bytes() const;
  bool rounds_products() const { return rounds_; }
  void run(const RnnBackward<T>& io, void* scratch) const;

 private:
  /// Places in scratch, in elements: packed weights, what all rows and steps leave (rows.h), then for each pass
  /// what it works in, or what the products do.
  struct Places {
    std::int64_t deltas, states, state_elements, db, db_elements, tasks, task_elements, end;
  };

  void store_bias_gradient(T* sums, T* db) const;
  template <class P>
  void plan_products();
  template <class P>
  void run_products(const RnnBackward<T>& io, T* deltas, const T* const (&states)[2], void* scratch) const;

  RnnShape shape_;
  bool rounds_;                                // the products' operands
  GemmPlan dw_h_[2];                           // the products that are left when all deltas are known
  RowPlans dw_x_, dx_;                         // and those of the rows of x
  std::size_t product_bytes_;                  // of scratch, for them
  std::shared_ptr<const RoundedSteps> steps_;  // null for the rows' own products; in front of all else in scratch
  Places at_;
};

/// Multiplications and additions of the products, counted twice.
double rnn_forward_flops(const RnnShape& shape);
double rnn_backward_flops(const RnnShape& shape);

}  // namespace dlcore
