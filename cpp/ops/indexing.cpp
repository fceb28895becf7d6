#include "ops/families.h"

namespace dlcore {

void register_indexing() {}

}  // namespace dlcore
