#include "ops/families.h"

namespace dlcore {

void register_pooling() {}

}  // namespace dlcore
