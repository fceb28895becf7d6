#include "ops/families.h"

namespace dlcore {

void register_matmul() {}

}  // namespace dlcore
