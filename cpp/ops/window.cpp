#include "ops/window.h"

#include <algorithm>
#include <cstdint>

namespace dlcore {

namespace {

// Of all the numbers of a window, so that the product of two fits into 64 bits.
constexpr std::int64_t kMost = INT32_MAX;

bool is_size(std::int64_t number) { return number >= 1 && number <= kMost; }

std::array<std::int64_t, 2> read_pair(const Attrs& attrs, const char* name) {
  const std::vector<std::int64_t> numbers = attrs.integers(name, {1, 1});
  if (numbers.size() != 2 || !is_size(numbers[0]) || !is_size(numbers[1])) {
    std::string got;
    for (std::int64_t number : numbers) got += str(got.empty() ? "" : ", ", number);
    throw value_error("'", name, "' is [", got, "]; expected two integers from 1 to ", kMost, ".");
  }
  return {numbers[0], numbers[1]};
}

Padding read_padding(const Attrs& attrs) {
  const std::string text = attrs.text("padding", "valid");
  if (text == "valid") return Padding::Valid;
  if (text == "same") return Padding::Same;
  if (text == "explicit") return Padding::Explicit;
  throw value_error("padding is '", text, "'; expected 'valid', 'same' or 'explicit'.");
}

// The two sides together, for an image axis of that size.
std::int64_t pad_total(const Window& window, int axis, std::int64_t size) {
  if (window.padding == Padding::Valid) return 0;
  if (window.padding == Padding::Explicit) return window.pads[2 * axis] + window.pads[2 * axis + 1];
  const std::int64_t stride = window.strides[axis];
  const std::int64_t positions = (size + stride - 1) / stride;
  return std::max<std::int64_t>(0, (positions - 1) * stride + window.extent(axis) - size);
}

}  // namespace

Window read_window(const Attrs& attrs, std::int64_t size_h, std::int64_t size_w) {
  if (!is_size(size_h) || !is_size(size_w))
    throw value_error("the window is (", size_h, ", ", size_w, "); its sizes should be known, from 1 to ", kMost, ".");
  Window window{{size_h, size_w}, read_pair(attrs, "strides"), read_pair(attrs, "dilation"), read_padding(attrs), {}};
  if (window.padding != Padding::Explicit) return window;
  const std::vector<std::int64_t> pads = attrs.integers("pads", {});
  if (pads.size() != 4)
    throw value_error("'pads' has ", pads.size(), " numbers; explicit padding expects four: top, bottom, left, right.");
  for (std::int64_t pad : pads)
    if (pad < -kMost || pad > kMost) throw value_error("'pads' has ", pad, "; expected at most ", kMost, ".");
  std::copy(pads.begin(), pads.end(), window.pads.begin());
  return window;
}

std::int64_t window_positions(const Window& window, int axis, std::int64_t size) {
  if (size == Shape::kUnknown) return Shape::kUnknown;
  if (window.padding == Padding::Same) return (size + window.strides[axis] - 1) / window.strides[axis];
  const std::int64_t room = size + pad_total(window, axis, size) - window.extent(axis);
  if (room < 0)
    throw value_error("the window does not fit: along the ", axis == 0 ? "height" : "width", " it reaches over ",
                      window.extent(axis), " pixels but the padded image has ", size + pad_total(window, axis, size),
                      " (", text_of(window), "). Use a larger image, a smaller window, or padding='same'.");
  return room / window.strides[axis] + 1;
}

std::int64_t pad_before(const Window& window, int axis, std::int64_t size) {
  return window.padding == Padding::Explicit ? window.pads[2 * axis] : pad_total(window, axis, size) / 2;
}

std::string text_of(const Window& window) {
  const auto pair = [](const std::array<std::int64_t, 2>& p) { return str('(', p[0], ", ", p[1], ')'); };
  std::string text = str("window ", pair(window.sizes), ", strides ", pair(window.strides));
  if (window.dilation[0] != 1 || window.dilation[1] != 1) text += ", dilation " + pair(window.dilation);
  if (window.padding != Padding::Explicit)
    return text + (window.padding == Padding::Same ? ", padding 'same'" : ", padding 'valid'");
  const auto& p = window.pads;
  return text + str(", pads (", p[0], ", ", p[1], ", ", p[2], ", ", p[3], ')');
}

}  // namespace dlcore
