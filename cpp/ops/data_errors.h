// Errors that only data can show, worded alike on every device.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "dlcore/error.h"

namespace dlcore {

/// What was given as an index: of floats that are no numbers comes the lowest integer.
inline std::string index_text(std::int64_t index) {
  return index == std::numeric_limits<std::int64_t>::min() ? "NaN" : std::to_string(index);
}

/// index: element `position` of the indices. axis: "axis 0 of size 5 of (5, 2)", whose size is `rows`. strict: a
/// negative one does not count from the end.
inline Error index_out_of_range(std::int64_t index, std::int64_t position, std::int64_t rows, const std::string& axis,
                                bool strict) {
  return index_error("index ", index_text(index), " (element ", position, " of the indices) is out of range for ", axis,
                     "; expected 0 <= index < ", rows, strict ? "" : " (negative: from the end)",
                     ". Check the ids, or enlarge the table.");
}

inline Error label_out_of_range(std::int64_t label, std::int64_t row, std::int64_t classes) {
  return index_error("label ", index_text(label), " at row ", row, " is not one of the ", classes,
                     " classes; labels are numbers from 0 to ", classes - 1,
                     ". Give the last layer more units, or renumber the labels.");
}

}  // namespace dlcore
