#include "compare.h"

namespace dlcore {
namespace {

/// Those that a device may meet have a kernel, and no others: with one for a form of weights of the processor's, the
/// pass that makes it would run. The plug-in itself brings all_reduce and its parts, with NCCL.
TEST(Coverage, EveryPrimitiveOfADeviceHasAKernel) {
  for (const std::string& name : primitive_names()) {
    const Primitive& op = primitive(name);
    if (op.is_alias || name.starts_with("all_reduce")) continue;
    EXPECT_EQ(testing::device_kernel(name) != nullptr, !op.processor_only) << name;
  }
}

}  // namespace
}  // namespace dlcore
