/// Products on the matrix unit (Intel AMX), which multiplies tiles of 16 x 32 bfloat16 and adds up in float32.
///
/// A float is the exact sum of three bfloat16 numbers of 8 bits each, high + middle + low. Of the nine products of two
/// such sums the six largest are added up; what is left out is at most 2^-21 of |a b|. As the unit adds up 32 products
/// before it rounds a sum, errors are those of float32 for k of 16 and half as large for k of hundreds.
///
///   Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations (Henry et al. 2019)
///
/// The unit has sixteen times the throughput of AVX-512's multiply-adds, so that six products take less than half of
/// the time of one. Integers that a float32 product adds up exactly are added up exactly here. Parts below the least
/// normal number count as zero, as denormals do. What meets a NaN or an infinity is multiplied as float32.
///
/// A Bfloat is its own only part.
///
/// Operands are packed into panels of 16 rows of op(A) or columns of op(B), tile by tile along k: 32 of k, all parts
/// one after another, 1 KB each. A register block of 2 x 2 tiles of C stays in the unit. Products of float leave a core
/// most of its instructions: meanwhile the sums of the block before are written, and the tiles packed that come next.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace dlcore {

inline constexpr std::int64_t kTileRows = 16;   // rows of op(A), columns of op(B) of a tile
inline constexpr std::int64_t kTileSteps = 32;  // of k
inline constexpr std::int64_t kTileBytes = 1024;
/// The unit's eight tiles: 16 rows of 64 bytes each.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  constexpr TileConfig() {
    for (int i = 0; i < 8; ++i) row_bytes[i] = kTileBytes / kTileRows, rows[i] = kTileRows;
  }
};
// A constant: what reads it is an instruction of which compilers know no more than the first bytes. Not inline: each
// source has its own, so that none is shared across instruction sets.
constexpr TileConfig kTileConfig;

inline constexpr std::size_t kAmxRoomHeader = 64;  // bytes in front of a worker's own panels

/// Bfloat16 numbers that an element of so many bytes becomes.
constexpr int parts_of_element(std::size_t element_bytes) { return element_bytes == 2 ? 1 : 3; }

/// Nanoseconds on one thread; infinite where the unit can't run it, or never pays.
double amx_gemm_cost(const GemmShape& shape, std::size_t element_bytes, const CacheSizes& caches);
/// The plan of a product on AMX, for any machine.
AmxGemmPlan plan_amx_gemm(const GemmShape& shape, std::size_t element_bytes, const CacheSizes& caches);

/// op(B) as panels, and behind them a byte for each that says whether all of it is finite.
std::size_t amx_packed_b_bytes(const GemmShape& shape, std::size_t element_bytes);

struct AmxKernels {
  GemmEntries<float> f32;
  GemmEntries<Bfloat> bf16;
};
/// Null where the processor has no AMX, or DLCORE_MAX_ISA forbids it.
const AmxKernels* amx_kernels();

}  // namespace dlcore
