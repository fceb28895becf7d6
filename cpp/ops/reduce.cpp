#include "ops/families.h"

namespace dlcore {

void register_reduce() {}

}  // namespace dlcore
