// What a client takes besides its settings: functions of the application.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

class EventQueue;

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// Called on any thread, by several at a time; must not throw. A message is one line.
using LogHandler =
    std::function<void(LogLevel level, std::string_view component, std::string_view message)>;

struct ClientOptions {
  // What is less important is not written.
  LogLevel log_level = LogLevel::warning;
  // Without one, lines go to the standard error output.
  LogHandler log = {};
  // With one, what the client calls when an operation ends is called by its dispatch().
  std::shared_ptr<EventQueue> events = {};
};

}  // namespace millrace::inline v1
