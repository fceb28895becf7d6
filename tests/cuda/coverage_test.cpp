#include "compare.h"

namespace dlcore {
namespace {

/// The primitives without a device kernel are exactly these.
TEST(Coverage, EveryPrimitiveHasADeviceKernel) {
  const std::vector<std::string> expected{};
  std::vector<std::string> missing;
  for (const std::string& name : primitive_names())
    if (!primitive(name).is_alias && !testing::device_kernel(name)) missing.push_back(name);
  EXPECT_EQ(missing, expected);
}

}  // namespace
}  // namespace dlcore
