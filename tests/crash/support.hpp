// What all files of the crash test stand on. Included after other libraries' headers, because it
// imports modules.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.storage.cleaner;
import millrace.storage.log;

namespace millrace::storage::crash {

// The log is not what it should be. Thrown outside of coroutines only.
class Difference : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void differ(FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
  throw Difference(formatted(format, args...));
}

}  // namespace millrace::storage::crash
