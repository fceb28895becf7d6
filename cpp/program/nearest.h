// Names close to a mistyped one, for error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dlcore {

/// "; did you mean 'a' or 'b'?" of the known names within a small edit distance, or "" when none is near.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& known);

}  // namespace dlcore
