// Multi-tensor optimizer updates. Inputs: n weights, n gradients, n of each state, then scalars; outputs: n weights, n
// of each state, in place where the program allows it. Coefficients are computed in the weights' precision, as Keras.
// The attribute `products` lists weights [rows, cols] whose gradient is A^T B: A [k, rows] stands for the gradient, and
// the B [k, cols] follow behind the scalars. `lookups` lists those whose gradient is scatter_add(like p, indices, u): u
// [..., cols] stands for the gradient, and the indices follow behind the B; the program has checked them.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "kernels/optim/lookup_update.h"
#include "kernels/optim/optim.h"
#include "kernels/optim/product_update.h"
#include "ops/families.h"
#include "ops/optimizers.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// Learning rate and step, read when the update runs.
struct Scalars {
  float lr;
  std::int64_t step;
};

/// An optimizer: which rule its attributes choose, and the coefficients of one step.
struct Optimizer {
  const char* name;
  bool has_step;
  std::function<UpdateRule(const Attrs&)> rule;
  /// in the precision of T = float or double
  std::function<void(const Attrs&, DType, const Scalars&, double* out)> coefficients;
};

// ------------------------------------------------------------------------------------------------------- shape rule

void expect_weights(SpecSpan weights) {
  for (const TensorSpec& weight : weights) {
    if (!is_float(weight.dtype)) throw type_error("a weight is ", weight, "; expected a float dtype.");
    if (weight.dtype != weights[0].dtype)
      throw type_error("weights have different dtypes: ", weights[0], " and ", weight,
                       "; update each dtype by itself.");
  }
}

void expect_scalar(const TensorSpec& spec, DType dtype, const char* what) {
  if (spec.dtype != dtype || spec.shape.rank() != 0)
    throw type_error("the ", what, " is ", spec, "; expected ", TensorSpec{dtype, {}}, ".");
}

void expect_product(const TensorSpec& weight, const TensorSpec& a, const TensorSpec& b) {
  const bool fits = makes_gradient(weight) && multiplies_factors(a.dtype, weight.dtype) && b.dtype == a.dtype &&
                    a.shape.rank() == 2 && b.shape.rank() == 2 && a.shape[0] == b.shape[0] &&
                    a.shape[1] == weight.shape[0] && b.shape[1] == weight.shape[1];
  if (!fits)
    throw value_error("the gradient of ", weight, " is the product of ", a, " transposed and ", b,
                      "; expected [k, rows] and [k, cols] for a float weight [rows, cols].");
}

void expect_lookup(const TensorSpec& weight, const TensorSpec& rows, const TensorSpec& indices) {
  Shape expected = indices.shape;
  if (weight.shape.rank() == 2) expected.push_back(weight.shape[1]);
  if (!makes_gradient(weight) || rows.dtype != weight.dtype || rows.shape != expected ||
      (indices.dtype != DType::I32 && indices.dtype != DType::I64))
    throw value_error("the gradient of ", weight, " is ", rows, " added up by ", indices,
                      "; expected [..., cols] and int32 or int64 indices [...] for a float weight [rows, cols].");
}

/// Where the inputs are: weights, gradients, states, scalars, the B of the products, the indices of the lookups.
struct Inputs {
  std::int64_t n;
  int states, scalars;  // scalars: how many
  std::vector<std::int64_t> products, lookups;

  Inputs(const Optimizer& optimizer, const Attrs& attrs)
      : n(attrs.integer("n", 1)),
        states(states_of(optimizer.rule(attrs))),
        scalars(optimizer.has_step ? 2 : 1),
        products(attrs.integers(kProducts, {})),
        lookups(attrs.integers(kLookups, {})) {}
  std::int64_t first_scalar() const { return n * (2 + states); }
  std::int64_t factor(std::size_t i) const { return first_scalar() + scalars + static_cast<std::int64_t>(i); }
  std::int64_t indices(std::size_t i) const { return factor(products.size() + i); }
  std::int64_t count() const { return indices(lookups.size()); }
};

Specs infer_update(const Optimizer& optimizer, SpecSpan in, const Attrs& attrs) {
  const Inputs at(optimizer, attrs);
  const std::int64_t n = at.n;
  if (n < 1 || n > std::ssize(in) || std::ssize(in) != at.count())
    throw value_error("got ", in.size(), " inputs for n=", n, "; expected n weights, n gradients, n of each of ",
                      at.states, at.states == 1 ? " state" : " states", " and ", at.scalars,
                      at.scalars == 1 ? " scalar." : " scalars.");
  expect_weights(in.first(n));
  std::vector<bool> is_made(n, false);  // from what stands for its gradient
  const auto take = [&](std::int64_t i) {
    if (i < 0 || i >= n || is_made[i])
      throw value_error("products or lookups have ", i, "; expected weights 0 to ", n - 1, ", each once.");
    is_made[i] = true;
    return i;
  };
  for (std::size_t p = 0; p < at.products.size(); ++p) {
    const std::int64_t i = take(at.products[p]);
    expect_product(in[i], in[n + i], in[at.factor(p)]);
  }
  for (std::size_t l = 0; l < at.lookups.size(); ++l) {
    const std::int64_t i = take(at.lookups[l]);
    expect_lookup(in[i], in[n + i], in[at.indices(l)]);
  }
  for (std::int64_t i = n; i < at.first_scalar(); ++i)
    if (!(in[i] == in[i % n]) && !(i < 2 * n && is_made[i - n]))
      throw value_error(i < 2 * n ? "the gradient" : "a state", " of weight ", i % n, " is ", in[i], "; expected ",
                        in[i % n], " like the weight.");
  expect_scalar(in[at.first_scalar()], DType::F32, "learning rate");
  if (optimizer.has_step) expect_scalar(in[at.first_scalar() + 1], DType::I64, "step");
  Specs out(in.begin(), in.begin() + n);
  out.insert(out.end(), in.begin() + 2 * n, in.begin() + at.first_scalar());
  return out;
}

// ----------------------------------------------------------------------------------------------------------- kernel

/// A weight whose gradient is made within its update.
struct Product {
  std::int64_t weight, b;  // numbers of inputs
  ProductUpdate update;
};
struct LookedUp {
  std::int64_t weight, indices;
  DType index_dtype;
  LookupUpdate update;
};

/// Of weight i: it and its states.
UpdateTile tile_of(const Buffers& buffers, const Inputs& at, std::int64_t i) {
  UpdateTile tile{nullptr, {}, {}};
  for (int kind = 0; kind <= at.states; ++kind) {
    tile.in[kind] = buffers.in[(kind == 0 ? 0 : 1 + kind) * at.n + i];
    tile.out[kind] = buffers.out[kind * at.n + i];
  }
  return tile;
}

Kernel plan_update(const Optimizer& optimizer, SpecSpan in, const Attrs& attrs) {
  const Inputs at(optimizer, attrs);
  const std::int64_t n = at.n;
  const UpdateRule rule = optimizer.rule(attrs);
  const DType dtype = in[0].dtype;
  std::vector<std::int64_t> sizes;
  for (const TensorSpec& weight : in.first(n)) sizes.push_back(weight.shape.elements());
  std::vector<Product> products;
  std::vector<LookedUp> lookups;
  std::size_t scratch_bytes = 0;
  for (const std::int64_t i : at.products) {
    const std::int64_t b = at.factor(products.size());
    sizes[i] = 0;  // not among those of the update below
    products.push_back({i, b, {rule, dtype, in[b].dtype, in[i].shape[0], in[i].shape[1], in[b].shape[0]}});
    scratch_bytes = std::max(scratch_bytes, products.back().update.scratch_bytes());
  }
  for (const std::int64_t i : at.lookups) {
    const TensorSpec& indices = in[at.indices(lookups.size())];
    sizes[i] = 0;
    lookups.push_back({i,
                       at.indices(lookups.size()),
                       indices.dtype,
                       {rule, dtype, in[i].shape[0], in[i].shape[1], indices.shape.elements()}});
    scratch_bytes = std::max(scratch_bytes, lookups.back().update.scratch_bytes());
  }
  const auto update = std::make_shared<const MultiTensorUpdate>(rule, dtype, std::move(sizes));
  Kernel kernel;
  kernel.run = [=, coefficients_of = optimizer.coefficients](const Buffers& buffers) {
    const int scalars = static_cast<int>(at.first_scalar());
    const Scalars scalar{*buffers.input<float>(scalars),
                         at.scalars > 1 ? *buffers.input<std::int64_t>(scalars + 1) : 0};
    Coefficients coefficients;
    coefficients_of(attrs, dtype, scalar, coefficients);
    update->run(buffers.in, buffers.out, coefficients);
    for (const Product& product : products)
      product.update.run(buffers.in[n + product.weight], buffers.in[product.b], tile_of(buffers, at, product.weight),
                         coefficients, buffers.scratch);
    for (const LookedUp& lookup : lookups) {
      const UpdateTile tile = tile_of(buffers, at, lookup.weight);
      const void *rows = buffers.in[n + lookup.weight], *indices = buffers.in[lookup.indices];
      if (lookup.index_dtype == DType::I64)
        lookup.update.run(static_cast<const std::int64_t*>(indices), rows, tile, coefficients, buffers.scratch);
      else
        lookup.update.run(static_cast<const std::int32_t*>(indices), rows, tile, coefficients, buffers.scratch);
    }
  };
  kernel.scratch_bytes = scratch_bytes;
  kernel.label = str(optimizer.name, '_', dtype);
  for (int i = 0; i < n; ++i) {
    kernel.in_place.emplace_back(i, i);
    for (int s = 0; s < at.states; ++s) kernel.in_place.emplace_back((1 + s) * n + i, (2 + s) * n + i);
  }
  return kernel;
}

void add(const Optimizer& optimizer) {
  Primitive primitive;
  primitive.name = optimizer.name;
  primitive.infer = [optimizer](SpecSpan in, const Attrs& attrs) { return infer_update(optimizer, in, attrs); };
  primitive.plan = [optimizer](SpecSpan in, SpecSpan, const Attrs& attrs) { return plan_update(optimizer, in, attrs); };
  register_primitive(std::move(primitive));
}

// --------------------------------------------------------------------------------------------------- the optimizers

void write(double* out, std::initializer_list<double> numbers) { std::copy(numbers.begin(), numbers.end(), out); }

UpdateRule sgd_rule(const Attrs& attrs) {
  if (attrs.number("momentum", 0) == 0) return UpdateRule::Sgd;
  return attrs.boolean("nesterov", false) ? UpdateRule::Nesterov : UpdateRule::Momentum;
}

UpdateRule rmsprop_rule(const Attrs& attrs) {
  const bool momentum = attrs.number("momentum", 0) > 0;
  if (attrs.boolean("centered", false)) return momentum ? UpdateRule::CenteredMomentum : UpdateRule::CenteredRmsProp;
  return momentum ? UpdateRule::RmsPropMomentum : UpdateRule::RmsProp;
}

/// lr * sqrt(1 - beta_2^t) / (1 - beta_1^t), t = step + 1: corrects m and v for their start at zero.
template <class T>
T adam_alpha(double beta_1, double beta_2, const Scalars& scalars) {
  const T t = static_cast<T>(scalars.step + 1), one = 1;
  const T power_1 = std::pow(static_cast<T>(beta_1), t), power_2 = std::pow(static_cast<T>(beta_2), t);
  return static_cast<T>(scalars.lr) * std::sqrt(one - power_2) / (one - power_1);
}

void adam_coefficients(const Attrs& attrs, DType dtype, const Scalars& scalars, double* out) {
  const double beta_1 = attrs.number("beta_1", 0.9), beta_2 = attrs.number("beta_2", 0.999);
  const double alpha =
      dtype == DType::F64 ? adam_alpha<double>(beta_1, beta_2, scalars) : adam_alpha<float>(beta_1, beta_2, scalars);
  write(out,
        {alpha, 1 - beta_1, 1 - beta_2, attrs.number("epsilon", 1e-7), attrs.number("weight_decay", 0), scalars.lr});
}

const Optimizer kOptimizers[] = {
    {"sgd_update", false, sgd_rule,
     [](const Attrs& attrs, DType, const Scalars& scalars, double* out) {
       write(out, {scalars.lr, attrs.number("momentum", 0)});
     }},
    {"rmsprop_update", false, rmsprop_rule,
     [](const Attrs& attrs, DType, const Scalars& scalars, double* out) {
       const double rho = attrs.number("rho", 0.9);
       write(out, {scalars.lr, rho, 1 - rho, attrs.number("epsilon", 1e-7), attrs.number("momentum", 0)});
     }},
    {"adam_update", true,
     [](const Attrs& attrs) { return attrs.boolean("amsgrad", false) ? UpdateRule::Amsgrad : UpdateRule::Adam; },
     adam_coefficients},
    {"adagrad_update", false, [](const Attrs&) { return UpdateRule::Adagrad; },
     [](const Attrs& attrs, DType, const Scalars& scalars, double* out) {
       write(out, {scalars.lr, attrs.number("epsilon", 1e-7)});
     }},
};

const Optimizer* find_optimizer(std::string_view primitive) {
  for (const Optimizer& optimizer : kOptimizers)
    if (primitive == optimizer.name) return &optimizer;
  return nullptr;
}

}  // namespace

bool is_optimizer_update(std::string_view primitive) { return find_optimizer(primitive) != nullptr; }

UpdatePlan update_plan(std::string_view primitive, const Attrs& attrs, DType dtype) {
  const Optimizer& optimizer = *find_optimizer(primitive);
  UpdatePlan plan{optimizer.rule(attrs), optimizer.has_step, {}};
  optimizer.coefficients(attrs, dtype, {0, 0}, plan.coefficients);
  return plan;
}

bool makes_gradient(const TensorSpec& weight) {
  return weight.shape.rank() == 2 && (weight.dtype == DType::F32 || weight.dtype == DType::F64);
}

bool multiplies_factors(DType factors, DType weight) {
  return factors == weight || (factors == DType::BF16 && weight == DType::F32 && gemm_bfloat_kernels());
}

void register_optimizers() {
  for (const Optimizer& optimizer : kOptimizers) add(optimizer);
}

}  // namespace dlcore
