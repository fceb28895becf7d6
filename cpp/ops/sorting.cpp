#include "ops/families.h"

namespace dlcore {

void register_sorting() {}

}  // namespace dlcore
