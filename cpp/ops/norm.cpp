// Batch and layer normalisation. The forward keeps mean and rstd, from which the gradient is one kernel again. Of
// 16-bit floats, parameters and statistics are float32, as is what is computed.
#include "kernels/norm/norm.h"

#include "dlcore/ops.h"
#include "ops/activation.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

const BatchNormKernels<float>& batch_norm_kernels(float) { return batch_norm_kernels_f32(); }
const BatchNormKernels<double>& batch_norm_kernels(double) { return batch_norm_kernels_f64(); }
const BatchNormKernels<Bfloat>& batch_norm_kernels(Bfloat) { return batch_norm_kernels_bf16(); }
const LayerNormKernels<float>& layer_norm_kernels(float) { return layer_norm_kernels_f32(); }
const LayerNormKernels<double>& layer_norm_kernels(double) { return layer_norm_kernels_f64(); }
const LayerNormKernels<Bfloat>& layer_norm_kernels(Bfloat) { return layer_norm_kernels_bf16(); }

// ---- shape rules

/// Which axes of x have one mean each (`rows`), and which have one gamma each (`parameters`).
struct NormAxes {
  Shape rows, parameters;
};

NormAxes batch_axes(const TensorSpec& x, const Attrs& attrs) {
  const Shape channels{x.shape[resolve_axis(attrs.integer("axis", -1), x.shape.rank())]};
  return {channels, channels};
}

NormAxes layer_axes(const TensorSpec& x, const Attrs& attrs) {
  const int first = resolve_axis(attrs.integer("axis", -1), x.shape.rank());
  NormAxes axes;
  for (int axis = 0; axis < x.shape.rank(); ++axis)
    (axis < first ? axes.rows : axes.parameters).push_back(x.shape[axis]);
  return axes;
}

using AxesOf = NormAxes (*)(const TensorSpec& x, const Attrs& attrs);

void expect_spec(const char* what, const TensorSpec& got, const TensorSpec& expected, const TensorSpec& x,
                 const Attrs& attrs) {
  if (got.dtype == expected.dtype && shapes_agree(got.shape, expected.shape)) return;
  throw value_error(what, " is ", got, "; expected ", expected, " for the input ", x, " normalised with axis ",
                    attrs.integer("axis", -1), ".");
}

double epsilon_of(const Attrs& attrs) {
  const double epsilon = attrs.number("epsilon", 1e-3);
  if (!(epsilon >= 0)) throw value_error("epsilon is ", epsilon, "; expected a number of at least 0, e.g. 1e-3.");
  return epsilon;
}

/// Whether batch_norm's y is rectified.
bool has_relu(const Attrs& attrs) {
  const Activation activation = activation_of(attrs);
  if (activation == Activation::None || activation == Activation::Relu) return activation == Activation::Relu;
  throw value_error("activation is '", attrs.text("activation", ""), "'; expected '' or 'relu'.");
}

template <AxesOf AXES, bool VAR>
Specs infer_norm(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 3);
  expect_float(in[0]);
  if (VAR) has_relu(attrs);
  epsilon_of(attrs);
  const NormAxes axes = AXES(in[0], attrs);
  const DType dtype = computed_dtype(in[0].dtype);
  const TensorSpec statistic{dtype, axes.rows}, parameter{dtype, axes.parameters};
  expect_spec("gamma", in[1], parameter, in[0], attrs);
  expect_spec("beta", in[2], parameter, in[0], attrs);
  return VAR ? Specs{in[0], statistic, statistic, statistic} : Specs{in[0], statistic, statistic};
}

// Of a y that was rectified, batch_norm_grad's last input is beta.
template <AxesOf AXES>
Specs infer_norm_grad(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, AXES == batch_axes && has_relu(attrs) ? 6 : 5);
  expect_float(in[0]);
  const NormAxes axes = AXES(in[0], attrs);
  const DType dtype = computed_dtype(in[0].dtype);
  const TensorSpec statistic{dtype, axes.rows}, parameter{dtype, axes.parameters};
  expect_spec("gamma", in[1], parameter, in[0], attrs);
  expect_spec("mean", in[2], statistic, in[0], attrs);
  expect_spec("rstd", in[3], statistic, in[0], attrs);
  expect_spec("the gradient", in[4], in[0], in[0], attrs);
  if (in.size() == 6) expect_spec("beta", in[5], parameter, in[0], attrs);
  return {in[0], parameter, parameter};
}

// ---- plans

BatchNormView batch_view(const TensorSpec& x, const Attrs& attrs) {
  const AxisView view = view_along(x.shape, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
  return {view.outer, view.size, view.inner};
}

LayerNormView layer_view(const TensorSpec& x, const Attrs& attrs) {
  const NormAxes axes = layer_axes(x, attrs);
  return {axes.rows.elements(), axes.parameters.elements()};
}

template <class E>
Kernel batch_norm_kernel(E, SpecSpan in, const Attrs& attrs) {
  using T = NormType<E>;
  const BatchNormView view = batch_view(in[0], attrs);
  return {.run =
              [view, epsilon = epsilon_of(attrs), relu = has_relu(attrs)](const Buffers& b) {
                batch_norm_kernels(E{}).forward(view, epsilon, relu, b.input<E>(0), b.input<T>(1), b.input<T>(2),
                                                b.output<E>(0), b.output<T>(1), b.output<T>(2), b.output<T>(3),
                                                b.scratch);
              },
          .scratch_bytes = view.scratch_bytes(sizeof(T)),
          .label = "batch_norm",
          .flops = 7.0 * static_cast<double>(in[0].shape.elements()),
          .in_place = {{0, 0}}};
}

template <class E>
Kernel batch_norm_grad_kernel(E, SpecSpan in, const Attrs& attrs) {
  using T = NormType<E>;
  const BatchNormView view = batch_view(in[0], attrs);
  return {.run =
              [view, relu = has_relu(attrs)](const Buffers& b) {
                batch_norm_kernels(E{}).gradient(view, b.input<E>(0), b.input<T>(1), relu ? b.input<T>(5) : nullptr,
                                                 b.input<T>(2), b.input<T>(3), b.input<E>(4), b.output<E>(0),
                                                 b.output<T>(1), b.output<T>(2), b.scratch);
              },
          .scratch_bytes = view.scratch_bytes(sizeof(T)),
          .label = "batch_norm_grad",
          .flops = 9.0 * static_cast<double>(in[0].shape.elements()),
          .in_place = {{0, 4}, {0, 0}}};
}

bool has_last_channels(SpecSpan in, SpecSpan, const Attrs& attrs) { return batch_view(in[0], attrs).inner == 1; }

template <class E>
Kernel layer_norm_kernel(E, SpecSpan in, const Attrs& attrs) {
  using T = NormType<E>;
  return {.run =
              [view = layer_view(in[0], attrs), epsilon = epsilon_of(attrs)](const Buffers& b) {
                layer_norm_kernels(E{}).forward(view, epsilon, b.input<E>(0), b.input<T>(1), b.input<T>(2),
                                                b.output<E>(0), b.output<T>(1), b.output<T>(2));
              },
          .label = "layer_norm",
          .flops = 8.0 * static_cast<double>(in[0].shape.elements()),
          .in_place = {{0, 0}}};
}

template <class E>
Kernel layer_norm_grad_kernel(E, SpecSpan in, const Attrs& attrs) {
  using T = NormType<E>;
  const LayerNormView view = layer_view(in[0], attrs);
  return {.run =
              [view](const Buffers& b) {
                layer_norm_kernels(E{}).gradient(view, b.input<E>(0), b.input<T>(1), b.input<T>(2), b.input<T>(3),
                                                 b.input<E>(4), b.output<E>(0), b.output<T>(1), b.output<T>(2),
                                                 b.scratch);
              },
          .scratch_bytes = view.grad_scratch_bytes(sizeof(T)),
          .label = "layer_norm_grad",
          .flops = 14.0 * static_cast<double>(in[0].shape.elements()),
          .in_place = {{0, 4}, {0, 0}}};
}

/// kernel(element, inputs, attributes), of bfloat16 where `takes` says so.
template <class Make>
Plan plan_norm(TakesBfloat takes, Make kernel) {
  return as_bfloat_or_on_float32(
      takes, [=](SpecSpan in, SpecSpan, const Attrs& attrs) { return kernel(Bfloat{}, in, attrs); },
      [=](SpecSpan in, SpecSpan, const Attrs& attrs) {
        return for_float_type(in[0].dtype, [&](auto zero) { return kernel(zero, in, attrs); });
      });
}

// ---- gradients
// Both are the same formulas over other axes: `over` are the axes that one mean covers, `shared` those that share a
// gamma.

/// The sum of those that there are.
Tensor sum_of(const Tensor& a, const Tensor& b) { return !a ? b : !b ? a : a + b; }

struct Formulas {
  ops::Axes over, shared;
  Tensor x;  // in the dtype that is computed

  Formulas(const Tensor& input, const Attrs& attrs, bool batch) : x(wide(input)) {
    const int rank = x.shape().rank(), axis = resolve_axis(attrs.integer("axis", -1), rank);
    for (int k = 0; k < rank; ++k) {
      if (batch ? k != axis : k >= axis) over.push_back(k);
      if (batch ? k != axis : k < axis) shared.push_back(k);
    }
  }
  static Tensor wide(const Tensor& t) { return t ? ops::cast(t, computed_dtype(t.dtype())) : t; }
  Tensor row_sum(const Tensor& t) const { return over.empty() ? t : ops::sum(t, over, true); }
  Tensor parameter_sum(const Tensor& t) const { return shared.empty() ? t : ops::sum(t, shared, true); }
  /// A statistic or a parameter with axes of size 1 where x has others.
  Tensor as_row(const Tensor& t) const { return ops::reshape_like(t, row_sum(x)); }
  Tensor as_parameter(const Tensor& t) const { return ops::reshape_like(t, parameter_sum(x)); }
  Tensor count() const { return row_sum(ops::ones_like(x)); }
};

// mean = sum x / n, var = sum (x - mean)^2 / n, rstd = (var + epsilon)^(-1/2)
Tensor statistics_grad(const Formulas& f, const Tensor& mean, const Tensor& rstd, const Tensor& dmean,
                       const Tensor& dvar, const Tensor& drstd) {
  const Tensor r = f.as_row(rstd);
  Tensor dx, slope;
  if (dmean) dx = f.as_row(dmean);
  if (dvar) slope = f.as_row(dvar) * 2.0;
  if (drstd) slope = sum_of(slope, -(f.as_row(drstd) * r * r * r));
  if (slope) dx = sum_of(dx, slope * (f.x - f.as_row(mean)));
  return dx / f.count();
}

template <bool BATCH>
std::vector<Tensor> vjp_norm(const VjpContext& c) {
  constexpr std::size_t kRstd = BATCH ? 3 : 2;
  const Tensor &x = c.in[0], &gamma = c.in[1], &mean = c.out[1], &rstd = c.out[kRstd];
  std::vector<Tensor> d(3);
  if (c.dout[0]) {
    std::vector<Tensor> in{x, gamma, mean, rstd, c.dout[0]};
    Attrs attrs{{"axis", c.attrs.integer("axis", -1)}};
    if (BATCH && has_relu(c.attrs)) in.push_back(c.in[2]), attrs.set("activation", std::string("relu"));
    d = apply_all(BATCH ? "batch_norm_grad" : "layer_norm_grad", in, attrs);
  }
  const Tensor dvar = BATCH ? c.dout[2] : Tensor();
  if (c.wanted[0] && (c.dout[1] || dvar || c.dout[kRstd]))
    d[0] = sum_of(
        d[0],
        ops::cast(statistics_grad(Formulas(x, c.attrs, BATCH), mean, rstd, c.dout[1], dvar, c.dout[kRstd]), x.dtype()));
  return d;
}

// With g = dy * gamma, z = x - mean, r = rstd, n the count:
//   dx = r * (g - sum g / n) - r^3 * z * sum(g*z) / n,   dgamma = sum dy*z*r,   dbeta = sum dy
// and G, P, Q the gradients of dx, dgamma, dbeta. Sums without a name are over what one mean covers. Of a y that was
// rectified, dy is zero where y is.
template <bool BATCH>
std::vector<Tensor> vjp_norm_grad(const VjpContext& c) {
  const Formulas f(c.in[0], c.attrs, BATCH);
  const Tensor gamma = f.as_parameter(c.in[1]), r = f.as_row(c.in[3]);
  const Tensor z = f.x - f.as_row(c.in[2]), n = f.count(), G = f.wide(c.dout[0]);
  Tensor dy = f.wide(c.in[4]), is_positive;
  if (c.in.size() == 6) {
    const Tensor y = z * r * gamma + f.as_parameter(c.in[5]);
    is_positive = ops::cast(apply("greater", {y, ops::zeros_like(y)}), y.dtype());
    dy = dy * is_positive;
  }
  Tensor dgamma, dz, dr, ddy;
  if (G) {
    const Tensor g = dy * gamma, r3n = r * r * r / n;
    const Tensor sum_g = f.row_sum(g), sum_gz = f.row_sum(g * z), sum_G = f.row_sum(G), sum_Gz = f.row_sum(G * z);
    const Tensor dg = r * (G - sum_G / n) - r3n * sum_Gz * z;
    dgamma = f.parameter_sum(dy * dg);
    ddy = gamma * dg;
    dz = -(r3n * (sum_Gz * g + sum_gz * G));
    dr = (f.row_sum(G * g) - sum_g * sum_G / n) - r * r * sum_gz * sum_Gz / n * 3.0;
  }
  if (c.dout[1]) {
    const Tensor P = f.as_parameter(c.dout[1]);
    ddy = sum_of(ddy, P * z * r);
    dz = sum_of(dz, P * dy * r);
    dr = sum_of(dr, f.row_sum(P * dy * z));
  }
  if (c.dout[2]) ddy = sum_of(ddy, ops::broadcast_like(f.as_parameter(c.dout[2]), dy));
  if (ddy && is_positive) ddy = ddy * is_positive;
  std::vector<Tensor> d(c.in.size());
  if (dgamma) d[1] = ops::reshape_like(dgamma, c.in[1]);
  if (dz) d[0] = ops::cast(dz, c.in[0].dtype());
  if (dz) d[2] = ops::reshape_like(-f.row_sum(dz), c.in[2]);
  if (dr) d[3] = ops::reshape_like(dr, c.in[3]);
  if (ddy) d[4] = ops::cast(ddy, c.in[4].dtype());
  return d;
}

}  // namespace

void register_norm() {
  const auto add_op = [](const char* name, auto infer, auto plan, auto vjp) {
    register_primitive({.name = name, .infer = infer, .plan = plan, .vjp = vjp});
  };
  add_op("batch_norm", infer_norm<batch_axes, true>,
         plan_norm(has_last_channels, [](auto e, SpecSpan in, const Attrs& a) { return batch_norm_kernel(e, in, a); }),
         vjp_norm<true>);
  add_op("batch_norm_grad", infer_norm_grad<batch_axes>,
         plan_norm(has_last_channels,
                   [](auto e, SpecSpan in, const Attrs& a) { return batch_norm_grad_kernel(e, in, a); }),
         vjp_norm_grad<true>);
  add_op("layer_norm", infer_norm<layer_axes, false>,
         plan_norm(always, [](auto e, SpecSpan in, const Attrs& a) { return layer_norm_kernel(e, in, a); }),
         vjp_norm<false>);
  add_op("layer_norm_grad", infer_norm_grad<layer_axes>,
         plan_norm(always, [](auto e, SpecSpan in, const Attrs& a) { return layer_norm_grad_kernel(e, in, a); }),
         vjp_norm_grad<false>);
}

}  // namespace dlcore
