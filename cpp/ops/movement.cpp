#include "ops/families.h"

namespace dlcore {

void register_movement() {}

}  // namespace dlcore
