// A descriptor that is readable when something waits.
#pragma once
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

namespace millrace::inline v1 {

// Owned by one object; set by one thread at a time. Anybody may wait for it.
class EventDescriptor {
 public:
  EventDescriptor() = default;
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;
  ~EventDescriptor() {
    if (is_open()) ::close(number_);
  }

  // Gives what went wrong.
  [[nodiscard]] std::optional<std::string> open() {
    number_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (is_open()) return std::nullopt;
    return std::error_code(errno, std::system_category()).message();
  }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }
  [[nodiscard]] int number() const noexcept { return number_; }
  void set_readable(bool readable) noexcept {
    if (readable == is_readable_) return;
    is_readable_ = readable;
    // One is counted, or nothing: neither can be refused.
    std::uint64_t count = 1;
    if (readable)
      static_cast<void>(::write(number_, &count, sizeof count));
    else
      static_cast<void>(::read(number_, &count, sizeof count));
  }

 private:
  int number_ = -1;
  bool is_readable_ = false;
};

}  // namespace millrace::inline v1
