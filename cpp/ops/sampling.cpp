// Images sampled at other places.
#include "ops/sampling.h"

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;
constexpr std::int64_t kMostPixels = 1'000'000'000;  // along an axis

FillMode read_fill_mode(const Attrs& attrs) {
  const std::string mode = attrs.text("fill_mode", "constant");
  if (mode == "constant") return FillMode::Constant;
  if (mode == "nearest") return FillMode::Nearest;
  if (mode == "wrap") return FillMode::Wrap;
  if (mode == "mirror") return FillMode::Mirror;
  if (mode == "reflect") return FillMode::Reflect;
  throw value_error("fill_mode is '", mode, "'; expected 'constant', 'nearest', 'wrap', 'mirror' or 'reflect'.");
}

bool read_bilinear(const Attrs& attrs) {
  const std::string interpolation = attrs.text("interpolation", "bilinear");
  if (interpolation != "bilinear" && interpolation != "nearest")
    throw value_error("interpolation is '", interpolation, "'; expected 'bilinear' or 'nearest'.");
  return interpolation == "bilinear";
}

Specs infer_projective_transform(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  const TensorSpec &images = in[0], &matrices = in[1];
  expect_float(images);
  read_fill_mode(attrs);
  read_bilinear(attrs);
  if (images.shape.rank() != 4) throw value_error("images are ", images, "; expected 4 axes [NHWC].");
  for (int axis : {1, 2})
    if (images.shape[axis] >= kMostPixels)
      throw value_error("images are ", images, "; expected fewer than ", kMostPixels, " rows and columns.");
  const bool shape_fits = matrices.shape.rank() == 2 && (matrices.shape[1] == 6 || matrices.shape[1] == 8) &&
                          (matrices.shape[0] == 1 || sizes_agree(matrices.shape[0], images.shape[0]));
  const DType dtype = computed_dtype(images.dtype);
  if (!shape_fits || matrices.dtype != dtype)
    throw value_error("transforms are ", matrices, "; expected ", dtype, " [", images.shape[0],
                      " or 1, 6 or 8] for the images ", images, ".");
  return {images};
}

Kernel plan_projective_transform(SpecSpan in, SpecSpan, const Attrs& attrs) {
  const ProjectiveTransform transform = projective_transform_of(in, attrs);
  return for_float_type(in[0].dtype, [&](auto type) -> Kernel {
    using T = decltype(type);
    return {
        .run = [transform](
                   const Buffers& b) { projective_transform(transform, b.input<T>(0), b.input<T>(1), b.output<T>(0)); },
        .label = "projective_transform"};
  });
}

}  // namespace

ProjectiveTransform projective_transform_of(SpecSpan in, const Attrs& attrs) {
  const Shape &images = in[0].shape, &matrices = in[1].shape;
  return {images[0],
          images[1],
          images[2],
          images[3],
          matrices[0],
          static_cast<int>(matrices[1]),
          read_bilinear(attrs),
          read_fill_mode(attrs),
          attrs.number("fill_value", 0.0)};
}

void register_sampling() {
  register_primitive({.name = "projective_transform",
                      .infer = infer_projective_transform,
                      .plan = on_float32(plan_projective_transform)});
}

}  // namespace dlcore
