// Fingerprints of strings: FarmHash (Pike & Alakuijala 2014) without a key, SipHash-2-4 (Aumasson & Bernstein 2012)
// with one. A fingerprint never changes, so bins found in one program are those of all others.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dlcore::python {

std::uint64_t farmhash64(std::string_view data);
std::uint64_t siphash64(std::string_view data, std::array<std::uint64_t, 2> key);

}  // namespace dlcore::python
