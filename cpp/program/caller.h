// Whose call a node comes from: for error messages and dumps.
#pragma once

#include <memory>
#include <string>

#include "dlcore/error.h"

namespace dlcore {

/// The layer, loss or metric, as messages name it: `Dense "net/head"`. Null: none.
using Caller = std::shared_ptr<const std::string>;

/// While one lives, what this thread records or plans comes from `caller`; inside of another, from the inner one.
class CallerScope {
 public:
  explicit CallerScope(Caller caller);
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  Caller outer_;
};

const Caller& current_caller();

/// The error with the caller's name in front.
Error named(const Error& error, const Caller& caller);

}  // namespace dlcore
