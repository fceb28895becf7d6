// The processor: which instruction set the kernels use, cache sizes, how many threads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dlcore {

/// Instruction sets that kernels are compiled for, in the order of cmake/isa_flags.cmake.
enum class Isa { Baseline, Avx2, Avx512 };

/// The best compiled set that the processor has, capped by DLCORE_MAX_ISA (baseline, avx2, avx512, amx). Found once.
Isa isa();
std::string_view name_of(Isa isa);
/// Pure function behind isa(): `cap` is the environment variable's text, empty for none. Throws a Value error on an
/// unknown name. "amx", which is AVX-512 with has_amx(), caps nothing.
Isa choose_isa(Isa best, std::string_view cap);

/// Whether the processor multiplies bfloat16 (AVX512_BF16) and the set in use is AVX-512.
bool has_avx512_bf16();
/// Whether it has the matrix unit beside that (AMX_BF16) and the system lets this process use it. Not where
/// DLCORE_MAX_ISA is avx512 or less.
bool has_amx();

struct CacheSizes {
  std::size_t l1d, l2, l3;  // bytes; l1d and l2 per core
};
const CacheSizes& cache_sizes();

std::string cpu_name();

}  // namespace dlcore
