// NumPy's arrays of texts and integers: their tokens counted, looked up and hashed.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <variant>

#include "base/parallel.h"
#include "bindings/bindings.h"
#include "bindings/fingerprints.h"
#include "bindings/tokens.h"

namespace dlcore::python {

namespace {

/// An array of str objects, of NumPy's strings or of int64.
class Values {
 public:
  explicit Values(const py::array& array)
      : array_(py::array::ensure(array, py::array::c_style | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_})),
        size_(array.size()) {
    kind_ = array_.dtype().kind();
    width_ = array_.itemsize();
    if (!(kind_ == 'O' || kind_ == 'U' || (kind_ == 'i' && width_ == 8)) || array_.dtype().byteorder() == '>')
      throw py::type_error("expected an array of str, NumPy's strings or int64");
    code_points_ = size_ * width_ / 4;
    if (kind_ != 'O') return;
    code_points_ = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!PyUnicode_Check(object(i))) throw py::type_error("expected an array of str");
      code_points_ += PyUnicode_GetLength(object(i));  // makes it ready to be read, too
    }
  }

  std::size_t size() const { return size_; }
  bool are_integers() const { return kind_ == 'i'; }
  std::int64_t integer(std::size_t i) const { return static_cast<const std::int64_t*>(array_.data())[i]; }
  std::size_t code_points() const { return code_points_; }

  Value operator[](std::size_t i) const {
    if (kind_ == 'O')
      return {PyUnicode_DATA(object(i)), static_cast<std::size_t>(PyUnicode_GET_LENGTH(object(i))),
              static_cast<int>(PyUnicode_KIND(object(i)))};
    const char* data = static_cast<const char*>(array_.data()) + i * width_;
    if (kind_ == 'i') return {data, 1, 8};
    std::size_t size = width_ / 4;  // without the zeros at the end
    while (size > 0 && reinterpret_cast<const char32_t*>(data)[size - 1] == 0) --size;
    return {data, size, 4};
  }

 private:
  PyObject* object(std::size_t i) const { return static_cast<PyObject* const*>(array_.data())[i]; }

  py::array array_;
  char kind_;
  std::size_t size_, width_, code_points_;
};

using Integers = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

/// Values of each document: how many, or one number for all.
using Sizes = std::variant<std::size_t, Integers>;

/// Where each document begins among the values.
class Documents {
 public:
  Documents(const Sizes& sizes, const Values& values) {
    if (const auto* size = std::get_if<std::size_t>(&sizes)) {
      size_ = *size;
      if (size_ == 0 || values.size() % size_ != 0) throw py::value_error("the documents hold not all values");
      count_ = values.size() / size_;
      return;
    }
    const auto& each = std::get<Integers>(sizes);
    count_ = static_cast<std::size_t>(each.size());
    starts_.reserve(count_ + 1);
    starts_.push_back(0);
    for (std::size_t i = 0; i < count_; ++i) {
      const std::int64_t size = each.data()[i];
      if (size < 0 || static_cast<std::size_t>(size) > values.size() - starts_.back())
        throw py::value_error("the documents hold more values than there are");
      starts_.push_back(starts_.back() + static_cast<std::size_t>(size));
    }
  }

  std::size_t size() const { return count_; }
  std::size_t begin(std::size_t i) const { return starts_.empty() ? i * size_ : starts_[i]; }
  std::size_t end(std::size_t i) const { return begin(i + 1); }

 private:
  std::size_t count_, size_ = 0;
  std::vector<std::size_t> starts_;
};

/// Calls use(token) for each token of the document that values [first, last) make. `words` is room to work in.
template <class Use>
void for_each_token(const Values& values, std::size_t first, std::size_t last, const Splitter& splitter, Words& words,
                    const Use& use) {
  if (values.are_integers()) {
    for (std::size_t i = first; i < last; ++i) use(IntegerToken(values.integer(i)).bytes());
    return;
  }
  words.clear();
  for (std::size_t i = first; i < last; ++i) words.add(values[i], splitter);
  words.for_each_token(splitter, use);
}

std::int64_t integer_of(std::string_view token) {
  std::uint64_t ordered;
  std::memcpy(&ordered, token.data(), 8);
  return static_cast<std::int64_t>(__builtin_bswap64(ordered) ^ std::uint64_t{1} << 63);
}

py::object object_of(std::string_view token, bool is_integer) {
  if (is_integer) return py::int_(integer_of(token));
  PyObject* text = PyUnicode_DecodeUTF8(token.data(), static_cast<py::ssize_t>(token.size()), "surrogatepass");
  if (!text) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(text);
}

std::uint64_t fingerprint_of(std::string_view text, const std::optional<std::array<std::uint64_t, 2>>& key) {
  return key ? siphash64(text, *key) : farmhash64(text);
}

/// That of an integer's digits.
std::uint64_t fingerprint_of(std::int64_t value, const std::optional<std::array<std::uint64_t, 2>>& key) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return fingerprint_of(std::string_view(digits, static_cast<std::size_t>(end - digits)), key);
}

/// What becomes of tokens out of a vocabulary: one of `bins` indices from `start` on; with no bins they are an error.
struct Unknown {
  std::int64_t start, bins;
  bool by_remainder;  // of integers
  std::optional<std::array<std::uint64_t, 2>> key;

  std::int64_t index_of(std::string_view token, bool is_integer) const {
    if (bins == 1) return start;
    if (is_integer && by_remainder) return start + (integer_of(token) % bins + bins) % bins;
    const std::uint64_t fingerprint = is_integer ? fingerprint_of(integer_of(token), key) : fingerprint_of(token, key);
    return start + static_cast<std::int64_t>(fingerprint % static_cast<std::uint64_t>(bins));
  }
};

constexpr std::size_t kMostParts = 256;

/// Runs body(part, first, last) on parts of [0, count), of which there are at most kMostParts; throws what the first
/// threw.
template <class Body>
void in_parts(std::size_t count, double cost, const Body& body) {
  const std::size_t size = std::max<std::size_t>(1, (count + kMostParts - 1) / kMostParts),
                    parts = (count + size - 1) / size;
  std::vector<std::exception_ptr> errors(parts);
  parallel_for(static_cast<std::int64_t>(parts), cost, [&](std::int64_t part) {
    const std::size_t first = static_cast<std::size_t>(part) * size;
    try {
      body(static_cast<std::size_t>(part), first, std::min(first + size, count));
    } catch (...) {
      errors[static_cast<std::size_t>(part)] = std::current_exception();
    }
  });
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}

double cost_of(const Values& values) {
  return 2.0 * static_cast<double>(values.code_points()) + 20.0 * static_cast<double>(values.size());
}

/// Tokens and their indices; of equal tokens the last counts.
class Vocabulary {
 public:
  Vocabulary(const py::array& tokens, const Integers& indices, Unknown unknown)
      : unknown_(unknown), are_integers_(tokens.dtype().kind() == 'i') {
    const Values values(tokens);
    if (static_cast<std::size_t>(indices.size()) != values.size())
      throw py::value_error("a vocabulary needs an index for each token");
    const Splitter whole(false, false, {}, {1});
    Words words;
    for (std::size_t i = 0; i < values.size(); ++i) {
      words.clear();
      words.add(values[i], whole);
      const std::size_t number = tokens_.add(words(0));
      indices_.resize(tokens_.size());
      indices_[number] = indices.data()[i];
    }
  }

  /// The indices of each document's tokens: an array (documents, length), cut or filled up with `padding`; without a
  /// length it is that of the longest.
  py::array_t<std::int64_t> find(const py::array& array, const Sizes& sizes, const Splitter& splitter,
                                 std::optional<std::int64_t> length, std::int64_t padding) const {
    if (length.value_or(0) < 0) throw py::value_error("a length must not be negative");
    const Values values(array);
    const Documents documents(sizes, values);
    const std::size_t rows = documents.size();
    std::size_t width = static_cast<std::size_t>(length.value_or(0));
    py::array_t<std::int64_t> result({rows, width});
    struct Part {
      std::vector<std::int64_t> found;  // where the length is not known before
      std::optional<std::string> refused;
    };
    std::vector<Part> parts(std::min(rows, kMostParts));
    std::vector<std::size_t> lengths(length ? 0 : rows);
    std::int64_t* out = result.mutable_data();
    in_parts(rows, cost_of(values), [&](std::size_t p, std::size_t first, std::size_t last) {
      Part& part = parts[p];
      Words words;
      for (std::size_t row = first; row < last; ++row) {
        const auto each = [&](const auto& use) {
          for_each_token(values, documents.begin(row), documents.end(row), splitter, words, use);
        };
        if (length) {
          std::int64_t *to = out + row * width, *end = to + width;
          each([&](std::string_view token) {
            if (to != end) *to++ = index_of(token, part.refused);
          });
          std::fill(to, end, padding);
        } else {
          const std::size_t before = part.found.size();
          each([&](std::string_view token) { part.found.push_back(index_of(token, part.refused)); });
          lengths[row] = part.found.size() - before;
        }
      }
    });
    for (const Part& part : parts)
      if (part.refused) {
        PyErr_SetObject(PyExc_KeyError, object_of(*part.refused, are_integers_).ptr());
        throw py::error_already_set();
      }
    if (length || rows == 0) return result;
    width = *std::max_element(lengths.begin(), lengths.end());
    result = py::array_t<std::int64_t>({rows, width});
    out = result.mutable_data();
    in_parts(rows, static_cast<double>(rows * width), [&](std::size_t p, std::size_t first, std::size_t last) {
      const std::int64_t* found = parts[p].found.data();
      for (std::size_t row = first; row < last; ++row) {
        std::int64_t* end = std::copy_n(found, lengths[row], out + row * width);
        std::fill(end, out + (row + 1) * width, padding);
        found += lengths[row];
      }
    });
    return result;
  }

 private:
  /// `refused` takes the first token that is an error.
  std::int64_t index_of(std::string_view token, std::optional<std::string>& refused) const {
    const std::uint32_t number = tokens_.find(token);
    if (number != Tokens::none) return indices_[number];
    if (unknown_.bins != 0) return unknown_.index_of(token, are_integers_);
    if (!refused) refused = token;
    return 0;
  }

  Tokens tokens_;
  std::vector<std::int64_t> indices_;
  Unknown unknown_;
  bool are_integers_;
};

/// How often each token occurs, and in how many documents.
class TokenCounts {
 public:
  TokenCounts() = default;

  void add(const py::array& array, const Sizes& sizes, const Splitter& splitter) {
    const Values values(array);
    const Documents documents(sizes, values);
    are_integers_ = array.dtype().kind() == 'i';
    for (std::size_t document = 0; document < documents.size(); ++document) {
      ++documents_;
      const std::size_t first = documents.begin(document), last = documents.end(document);
      for_each_token(values, first, last, splitter, words_, [&](std::string_view token) {
        const std::size_t number = tokens_.add(token);
        if (number == counts_.size()) counts_.push_back({});
        Count& count = counts_[number];
        ++count.times;
        count.documents += count.last != documents_;
        count.last = documents_;
      });
    }
  }

  /// The most frequent tokens, but for those in `without`, and in how many documents each is; of equally frequent ones
  /// the last in order come first.
  py::tuple most_frequent(const std::optional<std::size_t>& limit, const py::array& without) {
    std::vector<bool> is_left_out(tokens_.size());
    const Values left_out(without);
    const Splitter whole(false, false, {}, {1});
    for (std::size_t i = 0; i < left_out.size(); ++i) {
      words_.clear();
      words_.add(left_out[i], whole);
      const std::uint32_t number = tokens_.find(words_(0));
      if (number != Tokens::none) is_left_out[number] = true;
    }
    struct Ranked {
      std::int64_t times;
      std::uint64_t prefix;
      std::uint32_t number;
    };
    std::vector<Ranked> ranked;
    ranked.reserve(tokens_.size());
    for (std::uint32_t i = 0; i < tokens_.size(); ++i)
      if (!is_left_out[i])
        ranked.push_back({counts_[i].times, __builtin_bswap64(prefix_of(tokens_[i].data(), tokens_[i].size())), i});
    const auto comes_first = [&](const Ranked& a, const Ranked& b) {
      if (a.times != b.times) return a.times > b.times;
      if (a.prefix != b.prefix) return a.prefix > b.prefix;
      return tokens_[a.number] > tokens_[b.number];
    };
    const std::size_t size = std::min(ranked.size(), limit.value_or(ranked.size()));
    const auto end = ranked.begin() + static_cast<std::ptrdiff_t>(size);
    if (end != ranked.end()) std::nth_element(ranked.begin(), end, ranked.end(), comes_first);
    std::sort(ranked.begin(), end, comes_first);
    py::list tokens(size);
    py::array_t<std::int64_t> documents(static_cast<py::ssize_t>(size));
    for (std::size_t i = 0; i < size; ++i) {
      tokens[i] = object_of(tokens_[ranked[i].number], are_integers_);
      documents.mutable_data()[i] = counts_[ranked[i].number].documents;
    }
    return py::make_tuple(tokens, documents);
  }

  std::int64_t documents() const { return documents_; }
  std::size_t size() const { return tokens_.size(); }

  py::tuple state() const {
    py::list tokens, counts;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      tokens.append(py::bytes(tokens_[i].data(), tokens_[i].size()));
      counts.append(py::make_tuple(counts_[i].times, counts_[i].documents));
    }
    return py::make_tuple(are_integers_, documents_, tokens, counts);
  }

  static TokenCounts of_state(const py::tuple& state) {
    TokenCounts result;
    result.are_integers_ = state[0].cast<bool>();
    result.documents_ = state[1].cast<std::int64_t>();
    for (const py::handle token : state[2].cast<py::list>()) {
      std::string bytes = token.cast<std::string>();
      const std::size_t size = bytes.size();
      bytes.resize(size + 8);
      result.tokens_.add({bytes.data(), size});
    }
    for (const py::handle count : state[3].cast<py::list>()) {
      const auto [times, documents] = count.cast<std::pair<std::int64_t, std::int64_t>>();
      result.counts_.push_back({times, documents, 0});
    }
    return result;
  }

 private:
  struct Count {
    std::int64_t times = 0, documents = 0, last = 0;
  };

  bool are_integers_ = false;
  Tokens tokens_;
  std::vector<Count> counts_;
  std::int64_t documents_ = 0;
  Words words_;
};

py::array_t<std::uint64_t> fingerprints(const py::array& array,
                                        const std::optional<std::array<std::uint64_t, 2>>& key) {
  const Values values(array);
  py::array_t<std::uint64_t> result(static_cast<py::ssize_t>(values.size()));
  std::uint64_t* out = result.mutable_data();
  const Splitter whole(false, false, {}, {1});
  in_parts(values.size(), cost_of(values), [&](std::size_t, std::size_t first, std::size_t last) {
    Words words;
    for (std::size_t i = first; i < last; ++i) {
      const Value value = values[i];
      words.clear();
      if (value.bytes != 8) words.add(value, whole);
      out[i] = value.bytes == 8 ? fingerprint_of(*static_cast<const std::int64_t*>(value.data), key)
                                : fingerprint_of(words(0), key);
    }
  });
  return result;
}

/// The texts as a Splitter makes them before it splits them, a list of str.
py::list standardized_texts(const py::array& array, bool lower, bool strip_punctuation) {
  const Values values(array);
  const Splitter splitter(lower, strip_punctuation, {}, {1});
  py::list result(values.size());
  Words words;
  for (std::size_t i = 0; i < values.size(); ++i) {
    words.clear();
    words.add(values[i], splitter);
    result[i] = object_of(words(0), false);
  }
  return result;
}

bool has_only_str(const py::array& array) {
  const py::array objects = py::array::ensure(array, py::array::c_style);
  if (objects.dtype().kind() != 'O') throw py::type_error("expected an array of objects");
  const auto* data = static_cast<PyObject* const*>(objects.data());
  return std::all_of(data, data + objects.size(), [](PyObject* object) { return PyUnicode_Check(object); });
}

}  // namespace

void init_text(py::module_& module) {
  module.def("standardized_texts", &standardized_texts, py::arg("values"), py::arg("lower") = false,
             py::arg("strip_punctuation") = false);
  py::class_<Splitter>(module, "Splitter")
      .def(py::init<bool, bool, std::optional<std::string>, std::vector<std::size_t>>(), py::arg("lower") = false,
           py::arg("strip_punctuation") = false, py::arg("split") = py::none(),
           py::arg("widths") = std::vector<std::size_t>{1});
  py::class_<Vocabulary>(module, "Vocabulary")
      .def(py::init([](const py::array& tokens, const Integers& indices, std::int64_t unknown_start,
                       std::int64_t unknown_bins, bool by_remainder, std::optional<std::array<std::uint64_t, 2>> key) {
             return Vocabulary(tokens, indices, {unknown_start, unknown_bins, by_remainder, key});
           }),
           py::arg("tokens"), py::arg("indices"), py::arg("unknown_start"), py::arg("unknown_bins"),
           py::arg("by_remainder"), py::arg("key"))
      .def("find", &Vocabulary::find, py::arg("values"), py::arg("sizes"), py::arg("splitter"), py::arg("length"),
           py::arg("padding"));
  py::class_<TokenCounts>(module, "TokenCounts")
      .def(py::init<>())
      .def("add", &TokenCounts::add, py::arg("values"), py::arg("sizes"), py::arg("splitter"))
      .def("most_frequent", &TokenCounts::most_frequent, py::arg("limit"), py::arg("without"))
      .def_property_readonly("documents", &TokenCounts::documents)
      .def("__len__", &TokenCounts::size)
      .def(py::pickle([](const TokenCounts& counts) { return counts.state(); },
                      [](const py::tuple& state) { return TokenCounts::of_state(state); }));
  module.def("fingerprints", &fingerprints, py::arg("values"), py::arg("key") = py::none());
  module.def("has_only_str", &has_only_str, py::arg("array"));
}

}  // namespace dlcore::python
