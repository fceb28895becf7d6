#include "ops/families.h"

namespace dlcore {

void register_pointwise() {}

}  // namespace dlcore
