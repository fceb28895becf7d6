#include "kernels/conv/tile.h"

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(TileKernels, tile_kernels)

}  // namespace dlcore
