// What the checks against a cluster that is running share.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>

#include "millrace/result.hpp"

namespace millrace_check {

// Says what was wrong and ends the program with 1.
inline void need(bool is_so, const std::string& what) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

template <class T>
void need(const millrace::Result<T>& result, const std::string& what) {
  need(result.has_value(), what + ": " + (result ? "" : result.error().message()));
}

}  // namespace millrace_check
