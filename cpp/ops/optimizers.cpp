#include "ops/families.h"

namespace dlcore {

void register_optimizers() {}

}  // namespace dlcore
