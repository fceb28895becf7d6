#include "ops/families.h"

namespace dlcore {

void register_convolution() {}

}  // namespace dlcore
