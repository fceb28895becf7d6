// See all_reduce.cpp.
#pragma once

namespace dlcore::cuda {

void register_all_reduce();

}  // namespace dlcore::cuda
