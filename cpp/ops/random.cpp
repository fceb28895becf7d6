#include "ops/families.h"

namespace dlcore {

void register_random() {}

}  // namespace dlcore
