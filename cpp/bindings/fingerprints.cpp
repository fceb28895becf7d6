#include "bindings/fingerprints.h"

#include <bit>
#include <cstring>
#include <utility>

namespace dlcore::python {

namespace {

using Word = std::uint64_t;

// Odd constants of FarmHash's 64-bit fingerprint.
constexpr Word k0 = 0xC3A5C85C97CB3127, k1 = 0xB492B66FBE98F273, k2 = 0x9AE16A3B2F90404F;

Word word_at(const char* data, std::size_t size = 8) {
  Word word = 0;
  std::memcpy(&word, data, size);
  return word;
}

Word byte_at(std::string_view data, std::size_t i) { return static_cast<unsigned char>(data[i]); }

Word mixed(Word x) { return x ^ (x >> 47); }

Word joined(Word a, Word b, Word factor) {
  a = mixed((a ^ b) * factor);
  return mixed((b ^ a) * factor) * factor;
}

Word of_short(std::string_view data) {
  const std::size_t size = data.size();
  const char* p = data.data();
  const Word factor = k2 + 2 * size;
  if (size >= 8) {
    const Word a = word_at(p) + k2, b = word_at(p + size - 8);
    return joined(std::rotr(b, 37) * factor + a, (std::rotr(a, 25) + b) * factor, factor);
  }
  if (size >= 4) return joined(size + (word_at(p, 4) << 3), word_at(p + size - 4, 4), factor);
  if (size == 0) return k2;
  const Word y = byte_at(data, 0) + (byte_at(data, size / 2) << 8), z = size + (byte_at(data, size - 1) << 2);
  return mixed((y * k2) ^ (z * k0)) * k2;
}

// 17 to 64 bytes: the first and last 16, and up to 32 from within.
Word of_medium(std::string_view data) {
  const std::size_t size = data.size();
  const char* p = data.data();
  const Word factor = k2 + 2 * size;
  const Word a = word_at(p) * (size <= 32 ? k1 : k2), b = word_at(p + 8);
  const Word c = word_at(p + size - 8) * factor, d = word_at(p + size - 16) * k2;
  const Word y = std::rotr(a + b, 43) + std::rotr(c, 30) + d;
  const Word z = joined(y, a + std::rotr(b + k2, 18) + c, factor);
  if (size <= 32) return z;
  const Word e = word_at(p + 16) * factor, f = word_at(p + 24);
  const Word g = (y + word_at(p + size - 32)) * factor, h = (z + word_at(p + size - 24)) * factor;
  return joined(std::rotr(e + f, 43) + std::rotr(g, 30) + h, e + std::rotr(f + a, 18) + g, factor);
}

using Pair = std::pair<Word, Word>;

// Two words from 32 bytes and two words.
Pair of_block(const char* p, Word a, Word b) {
  const Word x = word_at(p + 8), y = word_at(p + 16), z = word_at(p + 24);
  a += word_at(p);
  b = std::rotr(b + a + z, 21);
  const Word total = a + x + y;
  return {total + z, b + std::rotr(total, 44) + a};
}

struct State {
  Word x, y, z;
  Pair v, w;

  void take(const char* p, Word factor, Word times) {
    x = std::rotr(x + y + v.first + word_at(p + 8), 37) * factor;
    y = std::rotr(y + v.second + word_at(p + 48), 42) * factor;
    x ^= w.second * times;
    y += v.first * times + word_at(p + 40);
    z = std::rotr(z + w.first, 33) * factor;
    v = of_block(p, v.second * factor, x + w.first);
    w = of_block(p + 32, z + w.second, y + word_at(p + 16));
    std::swap(x, z);
  }
};

// The state takes in 64 bytes at a time; the last 64 come in once more, with another factor.
Word of_long(std::string_view data) {
  const char* p = data.data();
  constexpr Word seed = 81, y = seed * k1 + 113;
  State state{seed * k2 + word_at(p), y, mixed(y * k2 + 113) * k2, {}, {}};
  const std::size_t last = (data.size() - 1) / 64 * 64, rest = (data.size() - 1) % 64;
  for (std::size_t start = 0; start < last; start += 64) state.take(p + start, k1, 1);
  const Word factor = k1 + 2 * (state.z & 0xFF);
  state.w.first += rest;
  state.v.first += state.w.first;
  state.w.first += state.v.first;
  state.take(p + last + rest - 63, factor, 9);
  const auto& [v, w] = std::pair{state.v, state.w};
  const Word first = joined(v.first, w.first, factor) + mixed(state.y) * k0 + state.z;
  return joined(first, joined(v.second, w.second, factor) + state.x, factor);
}

void sip_rounds(Word (&v)[4], int count) {
  for (int i = 0; i < count; ++i) {
    v[0] += v[1], v[1] = std::rotl(v[1], 13) ^ v[0], v[0] = std::rotl(v[0], 32);
    v[2] += v[3], v[3] = std::rotl(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = std::rotl(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = std::rotl(v[1], 17) ^ v[2], v[2] = std::rotl(v[2], 32);
  }
}

}  // namespace

std::uint64_t farmhash64(std::string_view data) {
  return data.size() <= 16 ? of_short(data) : data.size() <= 64 ? of_medium(data) : of_long(data);
}

std::uint64_t siphash64(std::string_view data, std::array<std::uint64_t, 2> key) {
  Word v[4] = {key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D, key[0] ^ 0x6C7967656E657261,
               key[1] ^ 0x7465646279746573};
  const auto take = [&](Word word) {
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
  };
  const std::size_t whole = data.size() / 8 * 8;
  for (std::size_t start = 0; start < whole; start += 8) take(word_at(data.data() + start));
  take(word_at(data.data() + whole, data.size() - whole) | Word{data.size()} << 56);
  v[2] ^= 0xFF;
  sip_rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

}  // namespace dlcore::python
