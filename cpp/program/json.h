// What model files say as JSON, read strictly: nlohmann's own conversions cut fractions off and wrap what is too large.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "dlcore/shape.h"

namespace dlcore {

using Json = nlohmann::ordered_json;

/// Parses a text. What has many levels is a Value error: they take stack, and no file of ours has a tenth of these.
inline Json parse_json(const std::string& text) {
  constexpr int kLevels = 100;
  return Json::parse(text, [&](int level, Json::parse_event_t, const Json&) {
    if (level > kLevels) throw value_error("it has more than ", kLevels, " levels of lists in lists");
    return true;
  });
}

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
