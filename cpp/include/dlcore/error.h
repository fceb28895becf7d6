// The one exception type of the core. Every message says what was received, what was expected, and how to fix it.
#pragma once

#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace dlcore {

/// What went wrong; the Python bindings map each kind to a Python exception class.
enum class ErrorKind { Value, Type, Index, NotImplemented, OutOfMemory, Io, Runtime };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Concatenates its arguments with operator<<, whatever the locale of the program.
template <class... Parts>
[[gnu::cold]] std::string str(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[gnu::cold]] Error value_error(const Parts&... parts) {
  return Error(ErrorKind::Value, str(parts...));
}

template <class... Parts>
[[gnu::cold]] Error type_error(const Parts&... parts) {
  return Error(ErrorKind::Type, str(parts...));
}

template <class... Parts>
[[gnu::cold]] Error index_error(const Parts&... parts) {
  return Error(ErrorKind::Index, str(parts...));
}

template <class... Parts>
[[gnu::cold]] Error io_error(const Parts&... parts) {
  return Error(ErrorKind::Io, str(parts...));
}

}  // namespace dlcore
