#include "program/caller.h"

#include <utility>

namespace dlcore {

namespace {

thread_local Caller current;

}  // namespace

CallerScope::CallerScope(Caller caller) : outer_(std::exchange(current, std::move(caller))) {}
CallerScope::~CallerScope() { current = std::move(outer_); }

const Caller& current_caller() { return current; }

Error named(const Error& error, const Caller& caller) {
  return caller ? Error(error.kind(), *caller + ": " + error.what()) : error;
}

}  // namespace dlcore
