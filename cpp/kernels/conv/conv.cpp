#include "kernels/conv/conv.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/conv/blocks.h"
#include "kernels/conv/correlate.h"
#include "kernels/conv/depthwise.h"
#include "kernels/conv/gather.h"
#include "kernels/conv/padding.h"
#include "kernels/conv/patches.h"
#include "kernels/conv/turned.h"
#include "kernels/gemm/gemm.h"
#include "kernels/movement/movement.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

constexpr std::int64_t kPackedFrom = 256;  // pixels from which copying the weights into panels pays
constexpr double kBytesPerNs = 4;          // of a copy on one thread

ConvAxis rows_of(const ConvShape& s) { return {s.h, s.oh, s.kh, s.stride_h, s.dilation_h, s.pad_top}; }
ConvAxis cols_of(const ConvShape& s) { return {s.w, s.ow, s.kw, s.stride_w, s.dilation_w, s.pad_left}; }

enum class ConvAlgorithm {
  Gemm,          // a filter of one tap that reads every pixel: a matrix product (pixels x channels)
  ImplicitGemm,  // register tiles over (pixels x output channels) that read x where it lies: every shape
  Depthwise,     // narrow groups, of one input channel most of all: vectors over channels
};

template <class T>
ConvAlgorithm algorithm_for(const ConvShape& s) {
  if (s.groups > 1) {
    const std::int64_t inputs = s.cin_per_group();
    const bool depthwise = inputs == 1 || (inputs == s.cout_per_group() && fits_depthwise<T>(inputs, s.cout));
    return depthwise ? ConvAlgorithm::Depthwise : ConvAlgorithm::ImplicitGemm;
  }
  return is_product(s) ? ConvAlgorithm::Gemm : ConvAlgorithm::ImplicitGemm;
}
template <class T>
bool is_depthwise(const ConvShape& s) {
  return algorithm_for<T>(s) == ConvAlgorithm::Depthwise;
}
std::int64_t pixels(const ConvShape& s) { return s.n * s.oh * s.ow; }

// ---- depthwise with several outputs per channel: the channels are repeated, so that each output has its own

std::int64_t multiplier(const ConvShape& s) { return s.groups > 1 && s.cin_per_group() == 1 ? s.cout_per_group() : 1; }

StridedCopy repeat_channels(std::int64_t pixels, std::int64_t channels, std::int64_t times, std::int64_t bytes) {
  StridedCopy copy;
  copy.element = static_cast<int>(bytes);
  copy.add_axis(pixels * channels, bytes, times * bytes);
  copy.add_axis(times, 0, bytes);
  return simplify(copy);
}

template <class T>
void sum_repeated(const T* repeated, std::int64_t pixels, std::int64_t channels, std::int64_t times, T* sums) {
  const std::int64_t width = channels * times;
  parallel_for((pixels + 255) / 256, static_cast<double>(pixels * width) * sizeof(T) / kBytesPerNs,
               [&](std::int64_t chunk) {
                 for (std::int64_t p = chunk * 256; p < std::min(pixels, chunk * 256 + 256); ++p) {
                   for (std::int64_t c = 0; c < channels; ++c) {
                     T sum = 0;
                     for (std::int64_t i = 0; i < times; ++i) sum += repeated[p * width + c * times + i];
                     sums[p * channels + c] = sum;
                   }
                 }
               });
}

// ---- depthwise in groups of several channels, backward: what were a group's outputs are its inputs

StridedCopy exchange_channels(const ConvShape& s, std::int64_t bytes) {
  const std::int64_t group = s.cin_per_group(), row = s.cout * bytes;
  StridedCopy copy;
  copy.element = static_cast<int>(bytes);
  copy.add_axis(s.kh * s.kw, group * row, group * row);
  copy.add_axis(s.groups, group * bytes, group * bytes);
  copy.add_axis(group, bytes, row);
  copy.add_axis(group, row, bytes);
  return simplify(copy);
}

// ---- weights as panels of the width of a register tile

/// What a tile reads is contiguous: of a group, element (row, column) lies at panel(column / width), row * width +
/// column % width. A row is a pair (tap, c): c counts the channels that are summed, the columns those that result.
struct Panels {
  std::int64_t groups, taps, summed, cols, width;

  std::int64_t rows() const { return taps * summed; }
  std::int64_t per_group() const { return (cols + width - 1) / width; }
  std::int64_t elements() const { return groups * per_group() * rows() * width; }
  GatherWeights layout() const { return {width, rows() * width, per_group() * rows() * width}; }
};

/// How far apart neighbours along each axis of the panels are in HWIO weights.
struct WeightSteps {
  std::int64_t group, tap, summed, col;
};

/// Copies weights into panels: those of full width, and the last of each group when it is narrower.
class Packing {
 public:
  Packing(const Panels& panels, const WeightSteps& steps, std::int64_t bytes) {
    const std::int64_t full = panels.cols / panels.width;
    if (full > 0) copies_.push_back(copy_panels(panels, steps, bytes, 0, full, panels.width));
    if (full < panels.per_group())
      copies_.push_back(copy_panels(panels, steps, bytes, full, 1, panels.cols - full * panels.width));
  }
  void run(const void* weights, void* packed) const {
    for (const StridedCopy& copy : copies_) movement_kernels().strided_copy(copy, weights, packed);
  }

 private:
  static StridedCopy copy_panels(const Panels& p, const WeightSteps& steps, std::int64_t bytes, std::int64_t first,
                                 std::int64_t count, std::int64_t cols) {
    const std::int64_t panel = p.rows() * p.width;
    StridedCopy copy;
    copy.element = static_cast<int>(bytes);
    copy.in_offset = first * p.width * steps.col * bytes;
    copy.out_offset = first * panel * bytes;
    copy.add_axis(p.groups, steps.group * bytes, p.per_group() * panel * bytes);
    copy.add_axis(count, p.width * steps.col * bytes, panel * bytes);
    copy.add_axis(p.taps, steps.tap * bytes, p.summed * p.width * bytes);
    copy.add_axis(p.summed, steps.summed * bytes, p.width * bytes);
    copy.add_axis(cols, steps.col * bytes, bytes);
    return simplify(copy);
  }

  std::vector<StridedCopy> copies_;
};

// ---- few channels

/// Whether the turned convolution computes the same.
template <class T>
bool can_turn(const ConvShape& s) {
  return algorithm_for<T>(s) == ConvAlgorithm::ImplicitGemm && s.groups == 1 && s.stride_h == 1 && s.stride_w == 1 &&
         s.pad_top <= (s.kh - 1) * s.dilation_h && s.pad_left <= (s.kw - 1) * s.dilation_w;
}

/// The products of all taps as a convolution of its own: 1x1, from (tap, ci) to co, with the same weights.
ConvShape patches_of(const ConvShape& s) { return {s.n, s.oh, s.ow, s.kh * s.kw * s.cin, s.oh, s.ow, s.cout, 1, 1}; }

// With few input channels a tile of dx has few columns. Patches have more, but take room, and time to be summed up.
template <class T>
bool wants_patches(const ConvShape& s) {
  const TileSet<T>& tiles = tile_set<T>();
  const std::int64_t taps = s.kh * s.kw;
  return s.groups == 1 && taps * s.cin <= 4 * s.cout &&
         2 * tiles.vectors_of(taps * s.cin) <= taps * tiles.vectors_of(s.cin);
}

// Turned, few output channels are few input channels: then y is a sum of patches ...
template <class T>
bool turns_forward(const ConvShape& s) {
  constexpr double kMostPatches = 1 << 26;  // elements
  const double patches = static_cast<double>(s.n * s.h * s.w) * static_cast<double>(s.kh * s.kw * s.cout);
  return can_turn<T>(s) && s.cout < s.cin && patches <= kMostPatches && wants_patches<T>(turned(s));
}

// ... and a tile of dw has as many columns as there are input channels, where half of its vectors would be empty.
template <class T>
bool turns_backward_weights(const ConvShape& s) {
  const TileSet<T>& tiles = tile_set<T>();
  return can_turn<T>(s) && s.cout < s.cin && 2 * tiles.vectors_of(s.cin) * s.cout <= tiles.vectors_of(s.cout) * s.cin;
}

// Few channels on both sides are those of blocks of pixels, to which the gradient to the input comes by turning.
template <class T>
bool turns_backward_input(const ConvShape& s) {
  return can_turn<T>(s) && !wants_patches<T>(s) && pixels_of_block<T>(turned(s)) > 1;
}

}  // namespace

bool is_product(const ConvShape& s) {
  return s.groups == 1 && s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.oh == s.h && s.ow == s.w &&
         s.pad_top == 0 && s.pad_left == 0;
}

template <class T>
std::string conv_label(const char* op, const ConvShape& shape) {
  std::string label = op;
  label += is_depthwise<T>(shape) ? "_depthwise" : is_product(shape) ? "_gemm" : "_implicit_gemm";
  label += std::is_same_v<T, double> ? "_f64_" : "_f32_";
  return label.append(name_of(isa()));
}

// ------------------------------------------------------------------------------------------------------------- forward

namespace {

/// The output as a gradient of the turned convolution; then what is left to do for it is a sum over nothing.
template <class T>
class Turned {
 public:
  explicit Turned(const ConvShape& s)
      : turn_(turn_weights(s.kh * s.kw, s.cin, s.cout, sizeof(T))),
        weights_(s.kh * s.kw * s.cin * s.cout),
        gradient_(turned(s)),
        finish_(plan_gemm<T>(
            {.m = pixels(s), .n = s.cout, .k = 0, .lda = 0, .ldb = s.cout, .ldc = s.cout, .accumulate = true})) {}

  std::size_t scratch_bytes() const {
    return bytes_of<T>(weights_) + std::max(gradient_.scratch_bytes(), finish_.scratch_bytes);
  }
  void run(const T* x, const T* w, const T* bias, Activation activation, T* y, void* scratch) const {
    Scratch free(scratch);
    T* const turned = free.take<T>(weights_);
    movement_kernels().strided_copy(turn_, w, turned);
    T* const rest = free.take<T>(0);
    gradient_.run(x, turned, y, rest);
    if (bias || activation != Activation::None) gemm<T>(finish_, x, turned, y, {bias, activation}, rest);
  }

 private:
  StridedCopy turn_;
  std::int64_t weights_;
  ConvBackwardInput<T> gradient_;
  GemmPlan finish_;
};

}  // namespace

template <class T>
struct ConvForward<T>::Plan {
  ConvShape shape;
  bool packed;
  Panels panels;
  Packing packing;
  StridedCopy repeat;
  std::optional<GemmPlan> product;
  std::optional<Depthwise<T>> depthwise;
  std::optional<Turned<T>> turned;
  std::optional<BlockedForward<T>> blocked;
  std::optional<Gather<T>> gather;  // everything else

  static bool wants_packing(const ConvShape& s) {
    return algorithm_for<T>(s) == ConvAlgorithm::ImplicitGemm && !turns_forward<T>(s) && pixels_of_block<T>(s) == 1 &&
           s.cout_per_group() > panel_width<T>(s.cout_per_group()) && s.n * s.oh * s.ow >= kPackedFrom;
  }
  static Panels panels_of(const ConvShape& s) {
    return {s.groups, s.kh * s.kw, s.cin_per_group(), s.cout_per_group(), panel_width<T>(s.cout_per_group())};
  }
  static GatherWeights layout(const ConvShape& s) {
    if (wants_packing(s)) return panels_of(s).layout();
    return {s.cout, panel_width<T>(s.cout_per_group()), s.cout_per_group()};
  }
  static GatherShape gather_shape(const ConvShape& s) {
    return {s.n, s.groups, s.h, s.w, s.cin_per_group(), s.oh, s.ow, s.cout_per_group(), s.kh, s.kw};
  }
  explicit Plan(const ConvShape& s)
      : shape(s),
        packed(wants_packing(s)),
        panels(panels_of(s)),
        packing(panels, {s.cout_per_group(), s.cin_per_group() * s.cout, s.cout, 1}, sizeof(T)),
        repeat(repeat_channels(s.n * s.h * s.w, s.cin, multiplier(s), sizeof(T))) {
    if (is_product(s))
      product = plan_gemm<T>(dense_gemm(pixels(s), s.cout, s.cin));
    else if (is_depthwise<T>(s))
      depthwise.emplace(DepthwiseShape{s.n, s.cout, s.cin_per_group(), s.h, s.w, s.oh, s.ow, s.kw},
                        forward_taps(rows_of(s)), forward_taps(cols_of(s)));
    else if (turns_forward<T>(s))
      turned.emplace(s);
    else if (pixels_of_block<T>(s) > 1)
      blocked.emplace(s);
    else
      gather.emplace(gather_shape(s), forward_taps(rows_of(s)), forward_taps(cols_of(s)), layout(s));
  }

  std::int64_t repeated() const { return multiplier(shape) > 1 ? shape.n * shape.h * shape.w * shape.cout : 0; }
};

template <class T>
ConvForward<T>::ConvForward(const ConvShape& shape) : plan_(std::make_unique<Plan>(shape)) {}
template <class T>
ConvForward<T>::~ConvForward() = default;

template <class T>
std::size_t ConvForward<T>::scratch_bytes() const {
  if (plan_->product) return plan_->product->scratch_bytes;
  if (plan_->turned) return plan_->turned->scratch_bytes();
  if (plan_->blocked) return plan_->blocked->scratch_bytes();
  return (plan_->packed ? bytes_of<T>(plan_->panels.elements()) : 0) + bytes_of<T>(plan_->repeated());
}

template <class T>
void ConvForward<T>::run(const T* x, const T* w, const T* bias, Activation activation, T* y, void* scratch) const {
  if (plan_->product) return gemm(*plan_->product, x, w, y, {bias, activation}, scratch);
  if (plan_->turned) return plan_->turned->run(x, w, bias, activation, y, scratch);
  if (plan_->blocked) return plan_->blocked->run(x, w, bias, activation, y, scratch);
  Scratch free(scratch);
  if (plan_->packed) {
    T* const packed = free.take<T>(plan_->panels.elements());
    plan_->packing.run(w, packed);
    w = packed;
  }
  if (plan_->repeated() > 0) {
    T* const repeated = free.take<T>(plan_->repeated());
    movement_kernels().strided_copy(plan_->repeat, x, repeated);
    x = repeated;
  }
  if (plan_->depthwise)
    plan_->depthwise->run(x, w, bias, activation, y);
  else
    plan_->gather->run(x, w, bias, activation, y);
}

// ------------------------------------------------------------------------------------------------------ backward input

template <class T>
struct ConvBackwardInput<T>::Plan {
  ConvShape shape;
  bool by_patches;
  ConvShape inner;  // what the products make: dx, or the patches that dx sums up
  std::optional<GemmPlan> product;
  std::optional<Depthwise<T>> depthwise;
  std::optional<StridedCopy> exchange;  // of the weights, for groups of several channels
  Panels panels;                        // c counts output channels, the columns are input channels
  Packing packing;
  std::unique_ptr<ConvForward<T>> turned;
  StridedCopy turn;                // of the weights
  std::vector<Gather<T>> gathers;  // everything else: of all pixels, or of each residue that is wanted
  PatchSum<T> patch_sum;

  static Panels panels_of(const ConvShape& s) {
    return {s.groups, s.kh * s.kw, s.cout_per_group(), s.cin_per_group(), panel_width<T>(s.cin_per_group())};
  }
  static GatherShape gather_shape(const ConvShape& s) {
    return {s.n, s.groups, s.oh, s.ow, s.cout_per_group(), s.h, s.w, s.cin_per_group(), s.kh, s.kw};
  }
  Plan(const ConvShape& s, const std::vector<Residue>& residues)
      : shape(s),
        by_patches(residues.empty() && wants_patches<T>(s)),
        inner(by_patches ? patches_of(s) : s),
        panels(panels_of(inner)),
        packing(panels, {s.cout_per_group(), inner.cin_per_group() * s.cout, 1, s.cout}, sizeof(T)),
        turn(turn_weights(s.kh * s.kw, s.cin, s.cout, sizeof(T))),
        patch_sum(s.n, s.cin, rows_of(s), cols_of(s)) {
    if (is_product(inner))
      product = plan_gemm<T>(dense_gemm(pixels(inner), inner.cin, inner.cout, false, true));
    else if (is_depthwise<T>(s))
      depthwise.emplace(DepthwiseShape{s.n, s.cout, s.cin_per_group(), s.oh, s.ow, s.h, s.w, s.kw},
                        backward_taps(rows_of(s)), backward_taps(cols_of(s)));
    else if (residues.empty() && turns_backward_input<T>(s))
      turned = std::make_unique<ConvForward<T>>(dlcore::turned(s));
    else
      add_gathers(residues);
    if (depthwise && s.cin_per_group() > 1) exchange = exchange_channels(s, sizeof(T));
  }

  void add_gathers(const std::vector<Residue>& residues) {
    const ConvAxis row_axis = rows_of(inner), col_axis = cols_of(inner);
    const std::vector<TapClass> rows = backward_taps(row_axis), cols = backward_taps(col_axis);
    if (residues.empty()) gathers.emplace_back(gather_shape(inner), rows, cols, panels.layout());
    for (const Residue& residue : residues)
      gathers.emplace_back(gather_shape(inner), of_residue(rows, row_axis, residue.row),
                           of_residue(cols, col_axis, residue.col), panels.layout());
  }

  std::int64_t packed() const {
    return !gathers.empty()     ? panels.elements()
           : exchange || turned ? shape.kh * shape.kw * shape.cin_per_group() * shape.cout
                                : 0;
  }
  std::int64_t patches() const { return by_patches ? inner.n * inner.h * inner.w * inner.cin : 0; }
  std::int64_t repeated() const { return multiplier(shape) > 1 ? shape.n * shape.h * shape.w * shape.cout : 0; }
};

template <class T>
ConvBackwardInput<T>::ConvBackwardInput(const ConvShape& shape) : ConvBackwardInput(shape, {}) {}
template <class T>
ConvBackwardInput<T>::ConvBackwardInput(const ConvShape& shape, const std::vector<Residue>& residues)
    : plan_(std::make_unique<Plan>(shape, residues)) {}
template <class T>
ConvBackwardInput<T>::~ConvBackwardInput() = default;

template <class T>
std::size_t ConvBackwardInput<T>::scratch_bytes() const {
  return bytes_of<T>(plan_->packed()) + bytes_of<T>(plan_->patches()) + bytes_of<T>(plan_->repeated()) +
         (plan_->product ? plan_->product->scratch_bytes : 0) + (plan_->turned ? plan_->turned->scratch_bytes() : 0);
}

template <class T>
void ConvBackwardInput<T>::run(const T* dy, const T* w, T* dx, void* scratch) const {
  const ConvShape& s = plan_->shape;
  Scratch free(scratch);
  if (plan_->packed() > 0) {
    T* const packed = free.take<T>(plan_->packed());
    if (plan_->exchange)
      movement_kernels().strided_copy(*plan_->exchange, w, packed);
    else if (plan_->turned)
      movement_kernels().strided_copy(plan_->turn, w, packed);
    else
      plan_->packing.run(w, packed);
    w = packed;
  }
  if (plan_->turned) return plan_->turned->run(dy, w, nullptr, Activation::None, dx, free.take<T>(0));
  T* const patches = free.take<T>(plan_->patches());
  T* const repeated = free.take<T>(plan_->repeated());
  T* const target = plan_->by_patches ? patches : plan_->repeated() > 0 ? repeated : dx;
  if (plan_->product)
    gemm(*plan_->product, dy, w, target, {}, free.take<T>(0));
  else if (plan_->depthwise)
    plan_->depthwise->run(dy, w, nullptr, Activation::None, target);
  else
    for (const Gather<T>& gather : plan_->gathers) gather.run(dy, w, nullptr, Activation::None, target);
  if (plan_->by_patches) plan_->patch_sum.run(patches, dx);
  if (plan_->repeated() > 0) sum_repeated(target, s.n * s.h * s.w, s.cin, multiplier(s), dx);
}

// ---------------------------------------------------------------------------------------------------- backward weights

namespace {

// With few input channels, taps that are cut off differently would make tiles of few rows each; then x is padded first.
template <class T>
bool wants_padded_input(const ConvShape& s) {
  const bool padded = valid_outputs(rows_of(s), 0) != valid_outputs(rows_of(s), s.kh - 1) ||
                      valid_outputs(cols_of(s), 0) != valid_outputs(cols_of(s), s.kw - 1);
  return padded && !is_depthwise<T>(s) && s.cin_per_group() < 8;
}

}  // namespace

template <class T>
struct ConvBackwardWeights<T>::Plan {
  ConvShape shape, inner;
  bool padded;
  StridedCopy repeat;
  std::optional<GemmPlan> product;
  std::optional<DepthwiseGradient<T>> depthwise;
  std::optional<Correlate<T>> correlate;  // everything else
  std::unique_ptr<ConvBackwardWeights<T>> turned;
  StridedCopy turn;
  std::optional<BlockedBackwardWeights<T>> blocked;

  explicit Plan(const ConvShape& s)
      : shape(s),
        inner(wants_padded_input<T>(s) ? without_padding(s) : s),
        padded(wants_padded_input<T>(s)),
        repeat(repeat_channels(s.n * s.h * s.w, s.cin, multiplier(s), sizeof(T))),
        turn(turn_weights(s.kh * s.kw, s.cout, s.cin, sizeof(T))) {
    if (is_product(s))
      product = plan_gemm<T>(dense_gemm(s.cin, s.cout, pixels(s), true));
    else if (is_depthwise<T>(s))
      depthwise.emplace(s.n, s.cout, s.cin_per_group(), rows_of(s), cols_of(s));
    else if (turns_backward_weights<T>(s))
      turned = std::make_unique<ConvBackwardWeights<T>>(dlcore::turned(s));
    else if (pixels_of_block<T>(s) > 1)
      blocked.emplace(s);
    else
      correlate.emplace(
          CorrelateShape{s.n, s.groups, s.cin_per_group(), s.cout_per_group(), rows_of(inner), cols_of(inner)});
  }

  std::int64_t weights() const { return shape.kh * shape.kw * shape.cin * shape.cout; }
  std::int64_t padded_elements() const { return padded ? inner.n * inner.h * inner.w * inner.cin : 0; }
  std::int64_t repeated() const { return multiplier(shape) > 1 ? shape.n * shape.h * shape.w * shape.cout : 0; }
};

template <class T>
ConvBackwardWeights<T>::ConvBackwardWeights(const ConvShape& shape) : plan_(std::make_unique<Plan>(shape)) {}
template <class T>
ConvBackwardWeights<T>::~ConvBackwardWeights() = default;

template <class T>
std::size_t ConvBackwardWeights<T>::scratch_bytes() const {
  if (plan_->product) return plan_->product->scratch_bytes;
  if (plan_->turned) return bytes_of<T>(plan_->weights()) + plan_->turned->scratch_bytes();
  if (plan_->blocked) return plan_->blocked->scratch_bytes();
  const std::size_t sums = plan_->depthwise ? plan_->depthwise->scratch_bytes() : plan_->correlate->scratch_bytes();
  return bytes_of<T>(plan_->padded_elements()) + bytes_of<T>(plan_->repeated()) + sums;
}

template <class T>
void ConvBackwardWeights<T>::run(const T* x, const T* dy, T* dw, void* scratch) const {
  if (plan_->product) return gemm(*plan_->product, x, dy, dw, {}, scratch);
  const ConvShape& s = plan_->shape;
  Scratch free(scratch);
  if (plan_->turned) {
    T* const turned = free.take<T>(plan_->weights());
    plan_->turned->run(dy, x, turned, free.take<T>(0));
    return movement_kernels().strided_copy(plan_->turn, turned, dw);
  }
  if (plan_->blocked) return plan_->blocked->run(x, dy, dw, scratch);
  if (plan_->padded) {
    T* const padded = free.take<T>(plan_->padded_elements());
    pad_images(s, plan_->inner, x, padded);
    x = padded;
  }
  if (plan_->repeated() > 0) {
    T* const repeated = free.take<T>(plan_->repeated());
    movement_kernels().strided_copy(plan_->repeat, x, repeated);
    x = repeated;
  }
  T* const sums = free.take<T>(0);
  if (plan_->depthwise)
    plan_->depthwise->run(x, dy, dw, sums);
  else
    plan_->correlate->run(x, dy, dw, sums);
}

template std::string conv_label<float>(const char*, const ConvShape&);
template std::string conv_label<double>(const char*, const ConvShape&);
template class ConvForward<float>;
template class ConvForward<double>;
template class ConvBackwardInput<float>;
template class ConvBackwardInput<double>;
template class ConvBackwardWeights<float>;
template class ConvBackwardWeights<double>;

}  // namespace dlcore
