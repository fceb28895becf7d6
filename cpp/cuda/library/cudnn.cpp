// Convolutions by cuDNN's graphs: NHWC images and filters [Cout, KH, KW, Cin/groups]. The first engine of its
// heuristics that is deterministic, compiled already, exact where float32 is to be, and fits the workspace. It is kept
// on disk: a later process asks no heuristics.
#include <cuda_runtime_api.h>
#include <cudnn.h>

// The frontend asks for the functions of the oldest cuDNN that the plug-in runs with, whichever it is built beside.
#if CUDNN_VERSION < DLCORE_LEAST_CUDNN
#error "dlcore's CUDA plug-in needs the headers of cuDNN 9.12 or newer: pip install 'nvidia-cudnn-cu13>=9.12'"
#endif
#undef CUDNN_VERSION
#define CUDNN_VERSION DLCORE_LEAST_CUDNN
#include <cudnn_frontend.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "cuda/check.h"
#include "cuda/disk_cache.h"
#include "cuda/library.h"
#include "dlcore/version.h"

namespace dlcore::cuda {

namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

fe::DataType_t data_type(DType dtype) {
  return dtype == DType::F16    ? fe::DataType_t::HALF
         : dtype == DType::BF16 ? fe::DataType_t::BFLOAT16
                                : fe::DataType_t::FLOAT;
}

/// What the operands are called when a graph runs.
enum Operand : std::int64_t { kFirst = 1, kSecond, kResult };

/// NCHW as cuDNN names sizes, NHWC as they lie.
struct Layout {
  std::vector<std::int64_t> sizes, strides;
  Layout(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c)
      : sizes{n, c, h, w}, strides{h * w * c, 1, w * c, c} {}
};

class Plan {
 public:
  /// is_usable() tells whether there is an engine. key: all that its choice depends on.
  Plan(ConvDirection direction, const ConvShape& s, DType dtype, const Context& context, const std::string& key)
      : context_(context),
        pad_bottom_(padding_behind(s.h, s.oh, s.kh, s.stride_h, s.dilation_h, s.pad_top)),
        pad_right_(padding_behind(s.w, s.ow, s.kw, s.stride_w, s.dilation_w, s.pad_left)) {
    if (!pad_bottom_ || !pad_right_ || load(key)) return;
    describe(direction, s, dtype);
    is_usable_ = choose(dtype == DType::F32 && context.precision == Context::Precision::highest);
    if (is_usable_) keep(key);
  }

  bool is_usable() const { return is_usable_; }

  void run(const void* first, const void* second, void* result) const {
    std::unordered_map<std::int64_t, void*> operands{
        {kFirst, const_cast<void*>(first)}, {kSecond, const_cast<void*>(second)}, {kResult, result}};
    fe::error_t error = graph_->execute(context_.cudnn, operands, context_.workspace);
    if (error.is_bad()) throw Error(ErrorKind::Runtime, "cuDNN: " + error.get_message());
  }

 private:
  void describe(ConvDirection direction, const ConvShape& s, DType dtype) {
    graph_ = std::make_unique<fe::graph::Graph>();
    graph_->set_io_data_type(data_type(dtype))
        .set_compute_data_type(fe::DataType_t::FLOAT)
        .set_intermediate_data_type(fe::DataType_t::FLOAT);
    const Layout x(s.n, s.h, s.w, s.cin), y(s.n, s.oh, s.ow, s.cout), w(s.cout, s.kh, s.kw, s.cin_per_group());
    switch (direction) {
      case ConvDirection::Forward:
        finish(graph_->conv_fprop(input(x, kFirst), input(w, kSecond), of<fe::graph::Conv_fprop_attributes>(s)), y);
        break;
      case ConvDirection::BackwardInput:
        finish(graph_->conv_dgrad(input(y, kFirst), input(w, kSecond), of<fe::graph::Conv_dgrad_attributes>(s)), x);
        break;
      case ConvDirection::BackwardWeights:
        finish(graph_->conv_wgrad(input(y, kSecond), input(x, kFirst), of<fe::graph::Conv_wgrad_attributes>(s)), w);
        break;
    }
  }
  Tensor input(const Layout& layout, Operand operand) {
    return graph_->tensor(
        fe::graph::Tensor_attributes().set_uid(operand).set_dim(layout.sizes).set_stride(layout.strides));
  }
  static void finish(const Tensor& result, const Layout& layout) {
    result->set_output(true).set_uid(kResult).set_dim(layout.sizes).set_stride(layout.strides);
  }
  /// What is padded behind an axis so that it has `out` windows: as much as in front where that does. Nothing where no
  /// padding of at least 0 does.
  static std::optional<std::int64_t> padding_behind(std::int64_t size, std::int64_t out, std::int64_t taps,
                                                    std::int64_t stride, std::int64_t dilation, std::int64_t pad) {
    const std::int64_t reach = (taps - 1) * dilation + 1, missing = (out - 1) * stride + reach - pad - size;
    if (pad < 0) return std::nullopt;
    for (const std::int64_t behind : {pad, std::max<std::int64_t>(0, missing)})
      if (const std::int64_t room = size + pad + behind - reach; room >= 0 && room / stride + 1 == out) return behind;
    return std::nullopt;
  }
  template <class Attributes>
  Attributes of(const ConvShape& s) const {
    Attributes attributes;
    attributes.set_pre_padding({s.pad_top, s.pad_left})
        .set_post_padding({*pad_bottom_, *pad_right_})
        .set_stride({s.stride_h, s.stride_w})
        .set_dilation({s.dilation_h, s.dilation_w});
    return attributes;
  }

  bool choose(bool exact) {
    if (graph_->validate().is_bad() || graph_->build_operation_graph(context_.cudnn).is_bad() ||
        graph_->create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}).is_bad())
      return false;
    std::vector<fe::NumericalNote_t> unwanted{fe::NumericalNote_t::NONDETERMINISTIC};
    if (exact) unwanted.push_back(fe::NumericalNote_t::TENSOR_CORE);
    graph_->deselect_numeric_notes(unwanted);
    graph_->deselect_behavior_notes({fe::BehaviorNote_t::RUNTIME_COMPILATION});
    graph_->deselect_workspace_greater_than(static_cast<std::int64_t>(context_.workspace_bytes));
    return graph_->check_support().is_good() && graph_->build_plans(fe::BuildPlanPolicy_t::HEURISTICS_CHOICE).is_good();
  }

  /// The plan that an earlier process has kept, as far as cuDNN takes it.
  bool load(const std::string& key) {
    const std::string kept = read_cached("cudnn", key);
    if (kept.empty()) return false;
    graph_ = std::make_unique<fe::graph::Graph>();
    try {
      is_usable_ = graph_->deserialize(context_.cudnn, std::vector<std::uint8_t>(kept.begin(), kept.end())).is_good();
    } catch (const std::exception&) {  // it reads another format
    }
    return is_usable_;
  }
  void keep(const std::string& key) const {
    try {
      std::vector<std::uint8_t> plan;
      if (graph_->serialize(plan).is_good()) write_cached("cudnn", key, std::string(plan.begin(), plan.end()));
    } catch (const std::exception&) {  // an engine that can't be written down
    }
  }

  const Context& context_;
  std::optional<std::int64_t> pad_bottom_, pad_right_;
  std::unique_ptr<fe::graph::Graph> graph_;
  bool is_usable_ = false;
};

/// What a choice depends on beside the convolution.
std::string key_of(const std::vector<std::int64_t>& convolution, const Context& context) {
  int device = 0;
  DLCORE_CUDA_CHECK(cudaGetDevice(&device));
  static std::map<int, std::string> names;  // slow to find out
  std::string& name = names[device];
  if (name.empty()) {
    cudaDeviceProp properties;
    DLCORE_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
    name = str(properties.name, ' ', properties.major, '.', properties.minor, ' ', properties.multiProcessorCount);
  }
  std::string key = str("dlcore ", DLCORE_VERSION, " cuDNN ", cudnnGetVersion(), " frontend ", CUDNN_FRONTEND_VERSION,
                        " workspace ", context.workspace_bytes, ' ', name, '\n');
  for (const std::int64_t number : convolution) key += str(number, ' ');
  return key;
}

/// Layers of the same shape share a plan while one of them lives.
std::shared_ptr<const Plan> plan_of(ConvDirection direction, const ConvShape& s, DType dtype, const Context& context) {
  static std::mutex mutex;
  static std::map<std::pair<const Context*, std::vector<std::int64_t>>, std::weak_ptr<const Plan>> plans;
  const std::vector<std::int64_t> key{static_cast<std::int64_t>(context.precision),
                                      static_cast<std::int64_t>(direction),
                                      static_cast<std::int64_t>(dtype),
                                      s.n,
                                      s.h,
                                      s.w,
                                      s.cin,
                                      s.oh,
                                      s.ow,
                                      s.cout,
                                      s.kh,
                                      s.kw,
                                      s.stride_h,
                                      s.stride_w,
                                      s.dilation_h,
                                      s.dilation_w,
                                      s.pad_top,
                                      s.pad_left,
                                      s.groups};
  const std::lock_guard lock(mutex);
  std::erase_if(plans, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const Plan>& known = plans[{&context, key}];
  std::shared_ptr<const Plan> plan = known.lock();
  if (!plan) {
    plan = std::make_shared<const Plan>(direction, s, dtype, context, key_of(key, context));
    known = plan;
  }
  return plan;
}

}  // namespace

RunConvolution plan_convolution(ConvDirection direction, const ConvShape& shape, DType dtype, const Context& context) {
  const std::shared_ptr<const Plan> plan = plan_of(direction, shape, dtype, context);
  if (!plan->is_usable()) return nullptr;
  return [plan](const void* first, const void* second, void* result) { plan->run(first, second, result); };
}

}  // namespace dlcore::cuda
