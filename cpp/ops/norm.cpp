#include "ops/families.h"

namespace dlcore {

void register_norm() {}

}  // namespace dlcore
