// Texts as tokens: how they are split, and a table of those that differ. Nothing here knows Python's objects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dlcore::python {

/// A string as Python and NumPy store them, with 1, 2 or 4 bytes a code point; with 8 an integer.
struct Value {
  const void* data;
  std::size_t size;
  int bytes;
};

/// How a text becomes words, and words n-grams.
class Splitter {
 public:
  enum Split { none, whitespace, character };
  static constexpr int dropped = -1, gap = -2;

  Splitter(bool lower, bool strip_punctuation, const std::optional<std::string>& split, std::vector<std::size_t> widths)
      : split_(!split                   ? none
               : *split == "whitespace" ? whitespace
                                        : character),
        widths_(std::move(widths)) {
    if (std::count(widths_.begin(), widths_.end(), 0)) throw std::invalid_argument("n-grams have at least one word");
    // ASCII only, so that a vocabulary means the same in any locale and in Keras.
    for (int c = 0; c < 128; ++c) {
      const bool is_upper = c >= 'A' && c <= 'Z', is_letter = is_upper || (c >= 'a' && c <= 'z');
      const bool is_punctuation = c > ' ' && c < 127 && !is_letter && !(c >= '0' && c <= '9');
      const bool is_gap = c == ' ' || (c >= '\t' && c <= '\r');
      become_[c] = strip_punctuation && is_punctuation ? dropped
                   : split_ == whitespace && is_gap    ? gap
                   : lower && is_upper                 ? c - 'A' + 'a'
                                                       : c;
    }
  }

  Split split() const { return split_; }
  const std::vector<std::size_t>& widths() const { return widths_; }
  /// What an ASCII character becomes: a character, `dropped` or `gap`.
  int operator[](char32_t c) const { return become_[c]; }

 private:
  Split split_;
  std::vector<std::size_t> widths_;
  std::int16_t become_[128];
};

/// An integer as 8 bytes that have the order of the integers.
class IntegerToken {
 public:
  explicit IntegerToken(std::int64_t value)
      : bytes_{__builtin_bswap64(static_cast<std::uint64_t>(value) ^ std::uint64_t{1} << 63)} {}
  /// There are 8 bytes behind them that may be read.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_), 8}; }

 private:
  std::uint64_t bytes_[2];
};

/// The words of a document in UTF-8 with a space between any two, so that n-grams are parts of it.
class Words {
 public:
  void clear() {
    end_ = 0;
    spans_.clear();
  }

  void add(const Value& value, const Splitter& splitter) {
    switch (value.bytes) {
      case 1:
        return add(static_cast<const unsigned char*>(value.data), value.size, splitter);
      case 2:
        return add(static_cast<const char16_t*>(value.data), value.size, splitter);
      case 4:
        return add(static_cast<const char32_t*>(value.data), value.size, splitter);
      default:
        add_integer(*static_cast<const std::int64_t*>(value.data));
    }
  }

  std::size_t size() const { return spans_.size(); }

  /// Words [first, first + count) as one token. There are 8 bytes behind it that may be read.
  std::string_view operator()(std::size_t first, std::size_t count = 1) const {
    const std::size_t begin = spans_[first].begin;
    return {bytes_.data() + begin, spans_[first + count - 1].end - begin};
  }

  template <class Use>
  void for_each_token(const Splitter& splitter, const Use& use) const {
    for (std::size_t width : splitter.widths())
      for (std::size_t i = 0; i + width <= size(); ++i) use((*this)(i, width));
  }

 private:
  struct Span {
    std::size_t begin, end;
  };

  template <class Char>
  void add(const Char* text, std::size_t size, const Splitter& splitter) {
    char* out = room_for(size * (sizeof(Char) == 1 ? 3 : sizeof(Char) == 2 ? 4 : 5) + 1);
    char* word = nullptr;  // where the word under way begins
    const auto begin = [&] {
      if (!spans_.empty()) *out++ = ' ';
      word = out;
    };
    const auto finish = [&] {
      const auto at = [&](const char* p) { return static_cast<std::size_t>(p - bytes_.data()); };
      spans_.push_back({at(word), at(out)});
      word = nullptr;
    };
    const Splitter::Split split = splitter.split();
    if (split == Splitter::none) begin();
    for (const Char* end = text + size; text != end; ++text) {
      const char32_t c = *text;
      const int become = c < 128 ? splitter[c] : 0;
      if (become == Splitter::dropped) continue;
      if (become == Splitter::gap) {
        if (word) finish();
        continue;
      }
      if (!word) begin();
      if (c < 128)
        *out++ = static_cast<char>(become);
      else
        out = written(c, out);
      if (split == Splitter::character) finish();
    }
    if (word) finish();
    end_ = static_cast<std::size_t>(out - bytes_.data());
  }

  void add_integer(std::int64_t value) {
    std::memcpy(room_for(8), IntegerToken(value).bytes().data(), 8);
    spans_.push_back({end_, end_ + 8});
    end_ += 8;
  }

  char* room_for(std::size_t size) {
    if (bytes_.size() < end_ + size + 8) bytes_.resize(end_ + size + 8 + bytes_.size() / 2);
    return bytes_.data() + end_;
  }

  /// UTF-8; halves of surrogate pairs, which str may hold, are written as if they were characters.
  static char* written(char32_t c, char* out) {
    const auto rest = [&](int shift) { *out++ = static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x800) {
      *out++ = static_cast<char>(0xC0 | c >> 6);
    } else if (c < 0x10000) {
      *out++ = static_cast<char>(0xE0 | c >> 12);
      rest(6);
    } else {
      *out++ = static_cast<char>(0xF0 | c >> 18);
      rest(12);
      rest(6);
    }
    rest(0);
    return out;
  }

  std::vector<char> bytes_;
  std::size_t end_ = 0;
  std::vector<Span> spans_;
};

/// The first bytes of a token as a number, the other bytes zero. 8 bytes may be read.
inline std::uint64_t prefix_of(const char* data, std::size_t size) {
  std::uint64_t word;
  std::memcpy(&word, data, 8);
  return size >= 8 ? word : word & ((std::uint64_t{1} << 8 * size) - 1);
}

inline std::uint64_t hash_of(std::string_view token) {
  std::uint64_t hash = token.size();
  const char* data = token.data();
  for (std::size_t left = token.size(); left > 0; data += 8) {
    hash = (hash ^ prefix_of(data, left)) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 32;
    left -= std::min<std::size_t>(left, 8);
  }
  hash *= 0xD6E8FEB86659FD93;
  return hash ^ hash >> 32;
}

/// Tokens that differ, numbered in the order in which they came.
class Tokens {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::size_t size() const { return ends_.size() - 1; }
  std::string_view operator[](std::size_t number) const {
    return {bytes_.data() + ends_[number], ends_[number + 1] - ends_[number]};
  }

  std::uint32_t find(std::string_view token) const { return slots_[place_of(token)].number; }

  /// Its number; a new one comes last.
  std::uint32_t add(std::string_view token) {
    std::size_t place = place_of(token);
    if (slots_[place].number != none) return slots_[place].number;
    if (3 * (size() + 1) > 2 * slots_.size()) {
      grow();
      place = place_of(token);
    }
    const auto number = static_cast<std::uint32_t>(size());
    bytes_.resize(bytes_.size() - 8);
    bytes_.insert(bytes_.end(), token.begin(), token.end());
    ends_.push_back(bytes_.size());
    bytes_.resize(bytes_.size() + 8);
    slots_[place] = slot_of(number);
    return number;
  }

 private:
  struct Slot {
    std::uint64_t prefix = 0;
    std::uint32_t size = 0, number = none;  // the size modulo 2**32
  };

  Slot slot_of(std::uint32_t number) const {
    const std::string_view token = (*this)[number];
    return {prefix_of(token.data(), token.size()), static_cast<std::uint32_t>(token.size()), number};
  }

  /// Of the token's slot, or of the empty one where it would be.
  std::size_t place_of(std::string_view token) const {
    const std::uint64_t prefix = prefix_of(token.data(), token.size());
    const auto size = static_cast<std::uint32_t>(token.size());
    std::size_t place = hash_of(token) & (slots_.size() - 1);
    while (true) {
      const Slot& slot = slots_[place];
      if (slot.number == none) return place;
      if (slot.prefix == prefix && slot.size == size && (token.size() <= 8 || (*this)[slot.number] == token))
        return place;
      place = (place + 1) & (slots_.size() - 1);
    }
  }

  void grow() {
    slots_.assign(2 * slots_.size(), {});
    for (std::uint32_t i = 0; i < size(); ++i) slots_[place_of((*this)[i])] = slot_of(i);
  }

  std::vector<char> bytes_ = std::vector<char>(8);  // 8 more than the tokens have
  std::vector<std::size_t> ends_{0};
  std::vector<Slot> slots_ = std::vector<Slot>(64);
};

}  // namespace dlcore::python
