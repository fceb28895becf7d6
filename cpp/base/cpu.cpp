#include "base/cpu.h"

#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "dlcore/error.h"

namespace dlcore {

namespace {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
    return Isa::Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::Avx2;
#endif
  return Isa::Baseline;
}

/// Of a cache of data, as Linux describes the first processor's, in bytes, or 0. (For AMD's, sysconf of glibc before
/// 2.39 gives what all third-level caches of a package have together.)
std::size_t described_cache(int level) {
  for (int index = 0;; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int own = 0;
    std::size_t kilobytes = 0;
    std::string type;
    if (!(std::ifstream(folder + "level") >> own)) return 0;
    if (own != level || !(std::ifstream(folder + "type") >> type) || type == "Instruction") continue;
    return std::ifstream(folder + "size") >> kilobytes ? kilobytes << 10 : 0;
  }
}

std::size_t cache_size(int level, int name, std::size_t fallback) {
  if (const std::size_t bytes = described_cache(level)) return bytes;
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<std::size_t>(bytes) : fallback;
}

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::Avx512:
      return "avx512";
    case Isa::Avx2:
      return "avx2";
    case Isa::Baseline:
      break;
  }
  return "baseline";
}

Isa choose_isa(Isa best, std::string_view cap) {
  if (cap.empty() || cap == "amx") return best;
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512})
    if (cap == name_of(isa)) return isa < best ? isa : best;
  throw value_error("DLCORE_MAX_ISA is '", cap, "'; expected one of baseline, avx2, avx512, amx.");
}

namespace {

std::string_view isa_cap() {
  const char* cap = std::getenv("DLCORE_MAX_ISA");
  return cap ? cap : "";
}

#if defined(__x86_64__) && defined(__linux__)
// Linux gives the room that saving the tiles takes to those who ask (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
bool find_amx() {
  constexpr unsigned kBfloat = 1u << 22, kTiles = 1u << 24;
  unsigned eax, ebx, ecx, edx;
  if (!has_avx512_bf16() || !(isa_cap().empty() || isa_cap() == "amx")) return false;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & kBfloat) && (edx & kTiles) && may_use_tiles();
}
#else
bool find_amx() { return false; }
#endif

}  // namespace

Isa isa() {
  static const Isa chosen = choose_isa(best_isa(), isa_cap());
  return chosen;
}

bool has_avx512_bf16() {
#if defined(__x86_64__)
  static const bool has = isa() == Isa::Avx512 && __builtin_cpu_supports("avx512bf16");
  return has;
#else
  return false;
#endif
}

bool has_amx() {
  static const bool has = find_amx();
  return has;
}

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes{cache_size(1, _SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                                cache_size(2, _SC_LEVEL2_CACHE_SIZE, 1 << 20),
                                cache_size(3, _SC_LEVEL3_CACHE_SIZE, 8 << 20)};
  return sizes;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

}  // namespace dlcore
