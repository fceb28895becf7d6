// resample: weighted sums along an axis, what resizes images.
#include "ops/resample.h"

#include "dlcore/ops.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

int axis_of(const Shape& x, const Attrs& attrs) { return resolve_axis(attrs.integer("axis", -1), x.rank()); }

Specs infer_resample(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2, 3);
  Shape shape = in[0].shape;
  const int axis = axis_of(shape, attrs);
  for (int k = 0; k + 1 < static_cast<int>(in.size()); ++k) {
    const TensorSpec &x = in[0], &w = in[k + 1];
    expect_float(w);
    if (w.dtype != in[1].dtype || (x.dtype != w.dtype && x.dtype != DType::U8))
      throw type_error("x is ", x, " and the weights are ", w, "; expected x of the weights' dtype, or uint8.");
    const int along = resolve_axis(axis + k, shape.rank());
    if (w.shape.rank() != 2 || !sizes_agree(w.shape[0], shape[along]))
      throw value_error("the weights are ", w, "; expected [", shape[along], ", outputs] for axis ", along, " of x, ",
                        x, ".");
    if (w.shape[0] > INT32_MAX) throw value_error("axis ", along, " of ", x, " is too long: expected less than 2^31.");
    shape[along] = w.shape[1];
  }
  return {{in[1].dtype, shape}};
}

Kernel plan_resample(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const ResampleShape s = resample_shape(in, attrs);
  return for_float_type(out[0].dtype, [&](auto type) -> Kernel {
    using T = decltype(type);
    Kernel kernel{.run = {}, .label = "resample"};
    const auto set = [&]<class X>(X) {
      if (in.size() == 2) {
        kernel.scratch_bytes = resample_scratch_bytes<T>(s);
        kernel.run = [s](const Buffers& b) { resample(s, b.input<X>(0), b.input<T>(1), b.output<T>(0), b.scratch); };
      } else {
        const ResamplePair<T> pair(s, next_resample_shape(s, in, attrs));
        kernel.scratch_bytes = pair.scratch_bytes();
        kernel.run = [pair](const Buffers& b) {
          pair.run(b.input<X>(0), b.input<T>(1), b.input<T>(2), b.output<T>(0), b.scratch);
        };
      }
    };
    if (in[0].dtype == DType::U8)
      set(std::uint8_t{});
    else
      set(type);
    return kernel;
  });
}

/// x with `axis` in front, as a matrix.
Tensor lines(const Tensor& x, int axis) {
  ops::Axes front{axis};
  for (int i = 0; i < x.shape().rank(); ++i)
    if (i != axis) front.push_back(i);
  return apply("reshape", {axis == 0 ? x : ops::transpose(x, front)},
               {{"shape", std::vector<std::int64_t>{-1}}, {"keep", std::int64_t{1}}});
}

std::vector<Tensor> vjp_resample(const VjpContext& c) {
  const Tensor &x = c.in[0], &dy = c.dout[0];
  const int axis = axis_of(x.shape(), c.attrs), count = static_cast<int>(c.in.size()) - 1;
  std::vector<Tensor> gradients(c.in.size());
  if (c.wanted[0] && is_float(x.dtype())) {
    std::vector<Tensor> in{dy};
    for (int k = 0; k < count; ++k) in.push_back(ops::transpose(c.in[k + 1], {1, 0}));
    gradients[0] = apply_all("resample", in, c.attrs)[0];
  }
  for (int k = 0; k < count; ++k) {
    if (!c.wanted[k + 1]) continue;
    const Tensor from = count == 1 ? ops::cast(x, dy.dtype())  // resampled along the other axis
                                   : apply("resample", {x, c.in[2 - k]}, {{"axis", std::int64_t{axis + 1 - k}}});
    gradients[k + 1] = ops::matmul(lines(from, axis + k), lines(dy, axis + k), false, true);
  }
  return gradients;
}

}  // namespace

ResampleShape resample_shape(SpecSpan in, const Attrs& attrs) {
  const AxisView view = view_along(in[0].shape, axis_of(in[0].shape, attrs));
  return {view.outer, view.size, view.inner, in[1].shape[1]};
}

ResampleShape next_resample_shape(const ResampleShape& first, SpecSpan in, const Attrs& attrs) {
  const AxisView view = view_along(in[0].shape, axis_of(in[0].shape, attrs) + 1);
  return {first.outer * first.out, view.size, view.inner, in[2].shape[1]};
}

void register_resample() {
  register_primitive(
      {.name = "resample", .infer = infer_resample, .plan = on_float32(plan_resample), .vjp = vjp_resample});
}

}  // namespace dlcore
