#include "ops/float_types.h"

#include <algorithm>

#include "kernels/pointwise/pointwise.h"

namespace dlcore {

namespace {

constexpr std::size_t kNotConverted = static_cast<std::size_t>(-1);

bool is_half(const TensorSpec& spec) { return spec.dtype == DType::F16 || spec.dtype == DType::BF16; }

/// Which buffers are converted, and where their float32 form lies in scratch.
struct Conversion {
  Specs in, out;                           // as the kernel is told
  std::vector<DType> in_dtype, out_dtype;  // as the tensors are
  std::vector<std::size_t> in_offset, out_offset;
  std::size_t bytes = 0;

  Conversion(std::span<const TensorSpec> in_specs, std::span<const TensorSpec> out_specs, unsigned shape_only_inputs) {
    for (std::size_t i = 0; i < in_specs.size(); ++i)
      place(in_specs[i], !(shape_only_inputs >> i & 1), in, in_dtype, in_offset);
    for (const TensorSpec& spec : out_specs) place(spec, true, out, out_dtype, out_offset);
  }

 private:
  void place(const TensorSpec& spec, bool has_bytes, Specs& specs, std::vector<DType>& dtypes,
             std::vector<std::size_t>& offsets) {
    const bool converted = is_half(spec) && has_bytes;
    dtypes.push_back(spec.dtype);
    specs.push_back({is_half(spec) ? DType::F32 : spec.dtype, spec.shape});
    offsets.push_back(converted ? bytes : kNotConverted);
    if (converted) bytes += (specs.back().bytes() + 63) / 64 * 64;
  }
};

void run_converted(const Conversion& c, const Kernel& kernel, std::size_t scratch_at, const Buffers& b) {
  std::byte* scratch = static_cast<std::byte*>(b.scratch);
  std::vector<const void*> in(b.in, b.in + c.in.size());
  std::vector<void*> out(b.out, b.out + c.out.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (c.in_offset[i] == kNotConverted) continue;
    convert(c.in_dtype[i], in[i], DType::F32, scratch + c.in_offset[i], c.in[i].shape.elements());
    in[i] = scratch + c.in_offset[i];
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    if (c.out_offset[i] != kNotConverted) out[i] = scratch + c.out_offset[i];
  kernel.run({in.data(), out.data(), scratch + scratch_at});
  for (std::size_t i = 0; i < out.size(); ++i)
    if (c.out_offset[i] != kNotConverted)
      convert(DType::F32, out[i], c.out_dtype[i], b.out[i], c.out[i].shape.elements());
}

}  // namespace

Plan on_float32(Plan plan, unsigned shape_only_inputs) {
  return [plan = std::move(plan), shape_only_inputs](std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                                                     const Attrs& attrs) {
    if (std::none_of(in.begin(), in.end(), is_half) && std::none_of(out.begin(), out.end(), is_half))
      return plan(in, out, attrs);
    Conversion conversion(in, out, shape_only_inputs);
    Kernel inner = plan(conversion.in, conversion.out, attrs);
    Kernel kernel{.run = {},
                  .scratch_bytes = conversion.bytes + inner.scratch_bytes,
                  .label = inner.label + "_converted",
                  .flops = inner.flops,
                  .may_fail = inner.may_fail};
    kernel.run = [c = std::move(conversion), inner = std::move(inner)](const Buffers& b) {
      run_converted(c, inner, c.bytes, b);
    };
    return kernel;
  };
}

Plan as_bfloat_or_on_float32(TakesBfloat takes, Plan bfloat, Plan plan, unsigned shape_only_inputs) {
  return [takes = std::move(takes), bfloat = std::move(bfloat),
          converted = on_float32(std::move(plan), shape_only_inputs)](
             std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
    const bool as_stored = in[0].dtype == DType::BF16 && takes(in, out, attrs);
    return (as_stored ? bfloat : converted)(in, out, attrs);
  };
}

}  // namespace dlcore
