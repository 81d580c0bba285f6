// How operations fail: Result<T> holds a T or an Error. No function of this library throws, except
// where it says so: constructors, Result::value() and Future::get() on the wrong thread.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "millrace/abi.hpp"
#include "millrace/error_code.hpp"

namespace millrace::inline v1 {

// What is known of the records of a request that failed.
enum class Persisted : std::uint8_t { no, yes, unknown };

// Who found the failure.
enum class Origin : std::uint8_t {
  broker,         // a broker answered with code()
  network,        // no broker could be reached, or it went away before it answered
  timeout,        // a deadline passed
  configuration,  // an argument or a setting that cannot be
  client,         // the client itself: it is closed, its buffer is full, a record is too large
};

// A failure. message() is a whole sentence for people; the rest is for programs.
class MILLRACE_API Error {
 public:
  struct Details {
    ErrorCode code = ErrorCode::unknown_server_error;
    Origin origin = Origin::client;
    bool is_retriable = false;
    bool is_fatal = false;
    bool needs_abort = false;
    Persisted persisted = Persisted::no;
    std::int32_t broker = -1;
  };

  Error(Details details, std::string message);

  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  // Kafka's code; for failures of the client itself the one that Java's client would report.
  [[nodiscard]] ErrorCode code() const noexcept { return details_.code; }
  [[nodiscard]] Origin origin() const noexcept { return details_.origin; }
  // Whether the same call may succeed later. The client has tried again on its own already.
  [[nodiscard]] bool is_retriable() const noexcept { return details_.is_retriable; }
  // Whether the client object cannot be used any more.
  [[nodiscard]] bool is_fatal() const noexcept { return details_.is_fatal; }
  // Whether the transaction can only be aborted; the next one may succeed.
  [[nodiscard]] bool needs_abort() const noexcept { return details_.needs_abort; }
  [[nodiscard]] Persisted persisted() const noexcept { return details_.persisted; }
  // The broker that said it; -1 when none did.
  [[nodiscard]] std::int32_t broker() const noexcept { return details_.broker; }

 private:
  std::string message_;
  Details details_;
};

MILLRACE_API std::ostream& operator<<(std::ostream& out, const Error& error);

// An Error as an exception, for who prefers those.
class MILLRACE_API Failed : public std::runtime_error {
 public:
  explicit Failed(Error error);
  ~Failed() override;
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

namespace detail {
[[noreturn]] MILLRACE_API void throw_failed(const Error& error);
}

// Either a T or an Error. `*result` and `result->` need a result that holds a T.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return held_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  // Throws Failed when there is none. What a temporary holds is given away by value: a loop over
  // `*admin.list_topics().get()` has something to go over.
  T& value() & { return (need_value(), *std::get_if<0>(&held_)); }
  const T& value() const& { return (need_value(), *std::get_if<0>(&held_)); }
  T value() && { return (need_value(), std::move(*std::get_if<0>(&held_))); }

  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] T operator*() && { return std::move(*std::get_if<0>(&held_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&held_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&held_); }

  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&held_); }
  [[nodiscard]] Error&& error() && noexcept { return std::move(*std::get_if<1>(&held_)); }

  template <class Other>
  [[nodiscard]] T value_or(Other&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<Other>(other));
  }
  template <class Other>
  [[nodiscard]] T value_or(Other&& other) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<Other>(other));
  }

 private:
  void need_value() const {
    if (!has_value()) detail::throw_failed(error());
  }

  std::variant<T, Error> held_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return held_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
  // Throws Failed after a failure.
  void value() const {
    if (!has_value()) detail::throw_failed(error());
  }
  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&held_); }
  [[nodiscard]] Error&& error() && noexcept { return std::move(*std::get_if<1>(&held_)); }

 private:
  std::variant<std::monostate, Error> held_;
};

}  // namespace millrace::inline v1
