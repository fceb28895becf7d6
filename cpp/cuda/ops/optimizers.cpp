// Optimizer updates. Gradients that come as factors are multiplied out first: a product is written and read once, which
// is little beside the product itself.
#include "ops/optimizers.h"

#include "cuda/kernels/optim.h"
#include "cuda/library.h"
#include "cuda/ops/families.h"
#include "cuda/ops/scratch.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// A gradient A^T B [rows, cols] that is made in scratch.
struct Product {
  int weight, b;  // its number, and the input that B is
  std::size_t offset;
  RunGemm run;
};

Kernel plan_update(const char* name, SpecSpan in, const Attrs& attrs, const Context& context) {
  const int n = static_cast<int>(attrs.integer("n", 1));
  const DType dtype = in[0].dtype;
  const UpdatePlan plan = update_plan(name, attrs, dtype);
  const int states = states_of(plan.rule), scalars = n * (2 + states);
  std::vector<std::int64_t> sizes;
  for (const TensorSpec& weight : in.first(n)) sizes.push_back(weight.shape.elements());
  ScratchPlan scratch;
  std::vector<Product> products;
  for (const std::int64_t i : attrs.integers(kProducts, {})) {
    const int b = scalars + (plan.has_step ? 2 : 1) + static_cast<int>(products.size());
    const Shape& weight = in[i].shape;
    products.push_back({static_cast<int>(i), b, scratch.add(in[i].bytes()),
                        plan_gemm(dense_call(dtype, weight[0], weight[1], in[b].shape[0], true, false), context)});
  }
  Kernel kernel;
  kernel.run = [=, sizes = std::move(sizes), products = std::move(products), &context](const Buffers& b) {
    std::vector<UpdateTensor> tensors(n);
    for (int i = 0; i < n; ++i) {
      tensors[i].n = sizes[i];
      UpdateTile& tile = tensors[i].tile;
      tile.gradient = b.in[n + i];
      for (int kind = 0; kind <= states; ++kind) {
        tile.in[kind] = b.in[(kind == 0 ? 0 : 1 + kind) * n + i];
        tile.out[kind] = b.out[kind * n + i];
      }
    }
    for (const Product& product : products) {
      product.run(b.in[n + product.weight], b.in[product.b], nullptr, at(b, product.offset));
      tensors[product.weight].tile.gradient = at(b, product.offset);
    }
    StepCoefficients coefficients{
        {}, b.input<float>(scalars), plan.has_step ? b.input<std::int64_t>(scalars + 1) : nullptr};
    std::copy(std::begin(plan.coefficients), std::end(plan.coefficients), coefficients.known);
    update_tensors(context.stream, plan.rule, dtype, tensors, coefficients, context.faults->guard(b.guarded));
  };
  kernel.scratch_bytes = scratch.bytes();
  kernel.label = name;
  kernel.has_guard = true;
  for (int i = 0; i < n; ++i) {
    kernel.in_place.emplace_back(i, i);
    for (int s = 0; s < states; ++s) kernel.in_place.emplace_back((1 + s) * n + i, (2 + s) * n + i);
  }
  return kernel;
}

}  // namespace

void register_optimizers() {
  for (const char* name : {"sgd_update", "rmsprop_update", "adam_update", "adagrad_update"})
    register_kernel(name, [name](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
      return plan_update(name, in, attrs, context);
    });
}

}  // namespace dlcore::cuda
