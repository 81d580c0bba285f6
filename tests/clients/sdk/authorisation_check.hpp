// How the checks of rights ask for them, and what a refusal looks like.
#pragma once
#include <chrono>
#include <cstdio>
#include <set>
#include <string>
#include <thread>

#include "check.hpp"
#include "millrace/millrace.hpp"

namespace millrace_check {

// Asks whoever runs the check for the right, and returns when it is given. Brokers hear of it a
// moment later.
inline void allow(const std::string& right) {
  std::printf("%s\n", right.c_str());
  std::fflush(stdout);
  for (int byte = std::getchar(); byte != '\n'; byte = std::getchar()) {
    need(byte != EOF, "nobody gives " + right);
  }
}

// With that code, and a sentence that names what it is about.
template <class T>
void need_code(const millrace::Result<T>& result, millrace::ErrorCode code,
               const std::string& name) {
  const std::string wanted = std::string(millrace::name_of(code)) + " of " + name;
  need(!result.has_value(), "allowed, in the place of " + wanted);
  const millrace::Error& error = result.error();
  const bool is_named = error.message().find(millrace::name_of(code)) != std::string::npos &&
                        error.message().find(name) != std::string::npos;
  need(error.code() == code && is_named && error.origin() == millrace::Origin::broker,
       "not " + wanted + ": " + error.message());
}

// The same of what is no use to try again, and no end of the client.
template <class T>
void need_refusal(const millrace::Result<T>& result, millrace::ErrorCode code,
                  const std::string& name) {
  need_code(result, code, name);
  need(!result.error().is_retriable(), "retriable: " + result.error().message());
  need(!result.error().is_fatal(), "fatal: " + result.error().message());
}

// Until it ends so (none: well); until then only in one of those ways.
template <class Call>
void await(const Call& call, millrace::ErrorCode wanted,
           const std::set<millrace::ErrorCode>& before) {
  for (;;) {
    const auto result = call();
    const auto code = result ? millrace::ErrorCode::none : result.error().code();
    if (code == wanted) return;
    need(before.contains(code), "not " + std::string(millrace::name_of(wanted)) + " but " +
                                    (result ? std::string("success") : result.error().message()));
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

}  // namespace millrace_check
