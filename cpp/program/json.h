// What model files say as JSON, read strictly: nlohmann's own conversions cut fractions off and wrap what is too large.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "dlcore/shape.h"

namespace dlcore {

using Json = nlohmann::ordered_json;

/// Throws a Value error where it is not an integer of 64 bits.
inline std::int64_t integer_of(const Json& json) {
  const bool fits = json.is_number_unsigned() ? json.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max()
                                              : json.is_number_integer();
  if (!fits) throw value_error("it has ", json.dump(), " where an integer belongs");
  return json.get<std::int64_t>();
}

/// Sizes of at least 0, or -1: not known.
inline Shape shape_of(const Json& sizes) {
  Shape shape;
  for (const Json& size : sizes) shape.push_back(integer_of(size));
  return shape;
}

}  // namespace dlcore
