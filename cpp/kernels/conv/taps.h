// Which filter taps meet which positions, along one axis of a convolution.
#pragma once

#include <cstdint>
#include <vector>

namespace dlcore {

/// One axis of a convolution: out*stride + tap*dilation - pad is the input position that a tap reads.
struct ConvAxis {
  std::int64_t in, out, taps, stride, dilation, pad;
};

/// The positions of the computed side at which exactly these taps count: in the middle of an image all of them, at its
/// borders fewer. A class is computed as one matrix product, so nothing is ever multiplied by padding.
struct TapClass {
  std::vector<std::int64_t> taps;
  std::vector<std::int64_t> steps;    // where taps[i] reads, relative to taps[0]
  std::vector<std::int64_t> targets;  // positions that are computed
  std::vector<std::int64_t> sources;  // where taps[0] reads for targets[i]
};

/// Classes of the output positions, which read the input.
std::vector<TapClass> forward_taps(const ConvAxis& axis);

/// Classes of the input positions, whose gradient reads the output's: with a stride, each residue is a class of its
/// own.
std::vector<TapClass> backward_taps(const ConvAxis& axis);

/// Of those classes, what belongs to one residue: the positions that taps residue, residue + stride, ... read, or
/// would.
std::vector<TapClass> of_residue(const std::vector<TapClass>& classes, const ConvAxis& axis, std::int64_t residue);

/// Output positions [first, last) for which the tap reads inside of the input.
struct TapRange {
  std::int64_t first, last;
  friend bool operator==(const TapRange&, const TapRange&) = default;
};
TapRange valid_outputs(const ConvAxis& axis, std::int64_t tap);

}  // namespace dlcore
