// The interceptors and the partitioner that a client was given, and what they throw. It names no
// type of a module: those stand below the includes.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/interceptors.hpp"
#include "millrace/partitioner.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1 {

// What is thrown is logged the first time, and then each time that the count doubles.
class HookFailures {
 public:
  using Warn = std::function<void(const std::string& sentence)>;
  explicit HookFailures(Warn warn) : warn_(std::move(warn)) {}

  // Calls `hook`; gives what it threw.
  template <class Hook>
  std::optional<std::string> call(std::string_view name, Hook&& hook) const noexcept {
    std::string what = "something that is no std::exception";
    try {
      hook();
      return std::nullopt;
    } catch (const std::exception& thrown) {
      what = thrown.what();
    } catch (...) {
    }
    const std::uint64_t count = ++count_;
    if ((count & (count - 1)) == 0)
      warn_(std::string(name) + " of the application threw: " + what + " (" +
            std::to_string(count) + " so far)");
    return what;
  }

 private:
  Warn warn_;
  mutable std::atomic<std::uint64_t> count_ = 0;
};

// Called by any thread once it is complete.
template <class Interceptor>
class Interceptors {
 public:
  explicit Interceptors(HookFailures::Warn warn) : failures_(std::move(warn)) {}

  void add(std::shared_ptr<Interceptor> interceptor) {
    if (interceptor) all_.push_back(std::move(interceptor));
  }
  [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
  template <class Call>
  void each(std::string_view name, Call call) const noexcept {
    for (const auto& interceptor : all_)
      static_cast<void>(failures_.call(name, [&] { call(*interceptor); }));
  }

 private:
  HookFailures failures_;
  std::vector<std::shared_ptr<Interceptor>> all_;
};

}  // namespace millrace::inline v1
