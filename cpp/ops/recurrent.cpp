#include "ops/families.h"

namespace dlcore {

void register_recurrent() {}

}  // namespace dlcore
