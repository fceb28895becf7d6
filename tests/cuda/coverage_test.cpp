#include "compare.h"

namespace dlcore {
namespace {

/// All but all_reduce and its parts, which the plug-in itself brings, with NCCL, and the forms in which the processor's
/// kernels keep weights.
TEST(Coverage, EveryPrimitiveHasADeviceKernel) {
  std::vector<std::string> missing;
  for (const std::string& name : primitive_names())
    if (!primitive(name).is_alias && !name.starts_with("all_reduce") && name != "conv2d_winograd_filters" &&
        name != "matmul_panels" && !testing::device_kernel(name))
      missing.push_back(name);
  EXPECT_EQ(missing, std::vector<std::string>{});
}

}  // namespace
}  // namespace dlcore
