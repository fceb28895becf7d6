#include "compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace dlcore::testing {

namespace {

constexpr std::size_t kGuard = 256;
constexpr unsigned char kGuardByte = 0xa5;

/// Device memory between two guards, NaN at first; `shift` bytes off its alignment.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t bytes, std::size_t shift = 0) : before_(kGuard + shift), bytes_(bytes) {
    std::vector<unsigned char> start(before_ + bytes + kGuard, kGuardByte);
    std::memset(start.data() + before_, 0xff, bytes);
    whole_ = static_cast<std::byte*>(device_allocate(start.size()));
    upload(whole_, start.data(), start.size());
  }
  explicit DeviceBuffer(const Tensor& x, std::size_t shift = 0) : DeviceBuffer(x.spec().bytes(), shift) {
    upload(data(), x.bytes(), bytes_);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : whole_(std::exchange(other.whole_, nullptr)), before_(other.before_), bytes_(other.bytes_) {}
  ~DeviceBuffer() { device_free(whole_, before_ + bytes_ + kGuard); }
  void* data() const { return whole_ + before_; }
  Tensor read(const TensorSpec& spec) const {
    Tensor x = Tensor::empty(spec.dtype, spec.shape);
    download(x.bytes(), data(), bytes_);
    return x;
  }
  bool untouched() const {
    std::vector<unsigned char> now(before_ + bytes_ + kGuard);
    download(now.data(), whole_, now.size());
    const auto is_guard = [](unsigned char byte) { return byte == kGuardByte; };
    return std::all_of(now.begin(), now.begin() + before_, is_guard) &&
           std::all_of(now.end() - kGuard, now.end(), is_guard);
  }

 private:
  std::byte* whole_;
  std::size_t before_, bytes_;
};

Specs specs_of(const std::vector<Tensor>& in) {
  Specs specs;
  for (const Tensor& x : in) specs.push_back(x.spec());
  return specs;
}

std::vector<Tensor> run_on_cpu(const Primitive& op, const std::vector<Tensor>& in, const Attrs& attrs) {
  const Specs specs = specs_of(in), out_specs = infer_specs(op, specs, attrs);
  const Kernel kernel = op.plan(specs, out_specs, attrs);
  std::vector<Tensor> out;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Tensor& x : in) from.push_back(x.bytes());
  for (const TensorSpec& spec : out_specs) out.push_back(Tensor::empty(spec.dtype, spec.shape));
  for (const Tensor& y : out) to.push_back(y.bytes());
  Storage scratch(kernel.scratch_bytes);
  kernel.run({from.data(), to.data(), scratch.data()});
  return out;
}

/// One run; in_place: output `first` is the buffer of input `second`; shifted: all tensors lie an element off their
/// alignment.
std::vector<Tensor> run_planned(const Kernel& kernel, const Primitive& op, const std::vector<Tensor>& in,
                                const Specs& out_specs, const std::pair<int, int>* in_place = nullptr,
                                bool shifted = false, bool guarded = false) {
  std::vector<DeviceBuffer> inputs, outputs;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (std::size_t i = 0; i < in.size(); ++i) {
    inputs.emplace_back(in[i], shifted ? size_of(in[i].dtype()) : 0);
    from.push_back(reads_bytes(op, i) ? inputs.back().data() : nullptr);
  }
  for (const TensorSpec& spec : out_specs) outputs.emplace_back(spec.bytes(), shifted ? size_of(spec.dtype) : 0);
  for (const DeviceBuffer& y : outputs) to.push_back(y.data());
  if (in_place) to[in_place->first] = const_cast<void*>(from[in_place->second]);
  DeviceBuffer scratch(kernel.scratch_bytes);
  kernel.run({from.data(), to.data(), scratch.data(), guarded});
  std::vector<Tensor> results;
  for (std::size_t j = 0; j < out_specs.size(); ++j) {
    const bool placed = in_place && static_cast<int>(j) == in_place->first;
    results.push_back((placed ? inputs[in_place->second] : outputs[j]).read(out_specs[j]));
    EXPECT_TRUE(outputs[j].untouched()) << "bytes beside output " << j << " were written";
  }
  EXPECT_TRUE(scratch.untouched()) << "bytes beside the scratch were written";
  return results;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.spec() == b.spec() && std::memcmp(a.bytes(), b.bytes(), a.spec().bytes()) == 0;
}

Kernel plan_for_device(const char* primitive, const Specs& in, const Specs& out, const Attrs& attrs) {
  const cuda::PlanKernel* plan = device_kernel(primitive);
  if (!plan) throw value_error(primitive, " has no device kernel");
  return (*plan)(in, out, attrs, device_context());
}

void expect_close(const Tensor& got, const Tensor& expected, Tolerance tolerance, std::size_t output) {
  ASSERT_EQ(got.spec(), expected.spec());
  const std::vector<double> a = values(got), b = values(expected);
  int shown = 0;
  for (std::size_t i = 0; i < a.size() && shown < 5; ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double bound = tolerance.absolute + tolerance.relative * std::fabs(b[i]);
    if (is_float(got.dtype()) && std::fabs(a[i] - b[i]) <= bound) continue;
    ADD_FAILURE() << "output " << output << " " << got.spec() << " element " << i << ": " << a[i] << ", expected "
                  << b[i] << ", error " << std::fabs(a[i] - b[i]) << " of " << bound;
    ++shown;
  }
}

}  // namespace

Tolerance ulps(double count, DType dtype, double absolute_ulps) {
  const double epsilon = dtype == DType::F64    ? 0x1p-52
                         : dtype == DType::F16  ? 0x1p-10
                         : dtype == DType::BF16 ? 0x1p-7
                                                : 0x1p-23;
  return {count * epsilon, absolute_ulps * epsilon};
}

std::vector<double> values(const Tensor& x) {
  const Tensor wide = as(x, DType::F64);
  return {wide.data<double>(), wide.data<double>() + x.shape().elements()};
}

Tensor as(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return apply("cast", {x}, {{"dtype", std::string(name_of(dtype))}});
}

Tensor numbers(DType dtype, const Shape& shape, unsigned seed, double low, double high) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  Tensor x = Tensor::empty(DType::F64, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const double number = uniform(generator);
    x.data<double>()[i] = dtype == DType::Bool ? number > (low + high) / 2
                          : is_float(dtype)    ? number
                                               : std::floor(number);
  }
  return as(x, dtype);
}

std::string error_on_cpu(const char* primitive_name, const std::vector<Tensor>& in, const Attrs& attrs) {
  try {
    apply_all(primitive_name, in, attrs);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

void fail_on_device() {
  const std::vector<std::int32_t> beyond{1};
  run_on_device("gather", {numbers(DType::F32, {1, 1}, 1), Tensor::from<std::int32_t>(beyond, {1})});
}

std::string error_on_device() {
  try {
    device_context().faults->check(device_context().stream);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<Tensor> run_on_device(const char* primitive_name, const std::vector<Tensor>& in, const Attrs& attrs,
                                  std::string* fault) {
  const Primitive& op = primitive(primitive_name);
  const Specs specs = specs_of(in), out_specs = infer_specs(op, specs, attrs);
  const auto planned = plan_for_device(primitive_name, specs, out_specs, attrs);
  std::vector<Tensor> out = run_planned(planned, op, in, out_specs);
  if (fault) *fault = error_on_device();
  return out;
}

void Cases::add(std::string name, std::vector<Tensor> in, Attrs attrs, Tolerance tolerance) {
  const Specs specs = specs_of(in);
  plan_for_device(name.c_str(), specs, infer_specs(primitive(name), specs, attrs), attrs);
  cases_.push_back({std::move(name), std::move(in), std::move(attrs), tolerance});
}
Cases::~Cases() {
  for (const Case& c : cases_) expect_same(c.primitive.c_str(), c.in, c.attrs, c.tolerance);
}

void expect_same_unaligned(const char* primitive_name, const std::vector<Tensor>& in, const Attrs& attrs) {
  const Primitive& op = primitive(primitive_name);
  const Specs specs = specs_of(in), out_specs = infer_specs(op, specs, attrs);
  const Kernel kernel = plan_for_device(primitive_name, specs, out_specs, attrs);
  const std::vector<Tensor> aligned = run_planned(kernel, op, in, out_specs);
  const std::vector<Tensor> unaligned = run_planned(kernel, op, in, out_specs, nullptr, true);
  for (std::size_t j = 0; j < aligned.size(); ++j)
    EXPECT_TRUE(same_bits(aligned[j], unaligned[j])) << primitive_name << " " << specs[0] << ", output " << j;
}

void expect_guarded(const char* primitive_name, const std::vector<Tensor>& in, const Attrs& attrs) {
  SCOPED_TRACE(str(primitive_name, " ", in[0].spec()));
  const Primitive& op = primitive(primitive_name);
  const Specs specs = specs_of(in), out_specs = infer_specs(op, specs, attrs);
  const Kernel kernel = plan_for_device(primitive_name, specs, out_specs, attrs);
  ASSERT_TRUE(kernel.has_guard);
  const auto run = [&](bool guarded) { return run_planned(kernel, op, in, out_specs, nullptr, false, guarded); };
  const std::vector<Tensor> open = run(false), guarded = run(true);
  fail_on_device();
  const std::vector<Tensor> behind = run(true), unguarded = run(false);
  EXPECT_NE(error_on_device(), "");
  const std::vector<Tensor> later = run(true);
  for (std::size_t j = 0; j < open.size(); ++j) {
    for (const Tensor* same : {&guarded[j], &unguarded[j], &later[j]})
      EXPECT_TRUE(same_bits(open[j], *same)) << "output " << j;
    Tensor untouched = Tensor::empty(out_specs[j].dtype, out_specs[j].shape);
    std::memset(untouched.bytes(), 0xff, out_specs[j].bytes());  // as run_planned begins
    EXPECT_TRUE(same_bits(behind[j], untouched)) << "output " << j << " was written";
  }
}

void expect_same(const char* primitive_name, const std::vector<Tensor>& in, const Attrs& attrs, Tolerance tolerance,
                 unsigned skipped) {
  std::string text = primitive_name;
  for (const Tensor& x : in) text += str(" ", x.spec());
  SCOPED_TRACE(text);
  const Primitive& op = primitive(primitive_name);
  const Specs specs = specs_of(in), out_specs = infer_specs(op, specs, attrs);
  const std::vector<Tensor> expected = run_on_cpu(op, in, attrs);
  const Kernel kernel = plan_for_device(primitive_name, specs, out_specs, attrs);
  const std::vector<Tensor> got = run_planned(kernel, op, in, out_specs);
  for (std::size_t j = 0; j < got.size(); ++j)
    if (!(skipped >> j & 1)) expect_close(got[j], expected[j], tolerance, j);
  const std::vector<Tensor> again = run_planned(kernel, op, in, out_specs);
  for (std::size_t j = 0; j < got.size(); ++j) EXPECT_TRUE(same_bits(got[j], again[j])) << "output " << j << " differs";
  for (const auto& pair : kernel.in_place) {
    const std::vector<Tensor> placed = run_planned(kernel, op, in, out_specs, &pair);
    for (std::size_t j = 0; j < got.size(); ++j)
      EXPECT_TRUE(same_bits(got[j], placed[j]))
          << "output " << pair.first << " in the place of input " << pair.second << ": output " << j << " differs";
  }
}

}  // namespace dlcore::testing
