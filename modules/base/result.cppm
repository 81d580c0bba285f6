// How operations fail. A failure that happens in operation is a value: Result<T> holds either a T
// or an Error. A broken invariant is a bug and stops the process: check().
module;
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

export module millrace.base:result;

export namespace millrace {

// What kind of failure it was, for code that must choose; the sentence in Error is for people.
enum class ErrorKind : std::uint8_t {
  invalid_argument,
  not_found,
  already_exists,
  corrupt,
  limit_exceeded,
  unsupported,
  io,
  cancelled,
};

[[nodiscard]] std::string_view name_of(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::invalid_argument;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

// Result<T> is nodiscard as a type: no failure is dropped by accident. Subsystems on a hot path use
// an error type of their own that needs no memory: Result<T, DecodeError>.
template <class T, class E = Error>
class [[nodiscard]] Result : public tl::expected<T, E> {
 public:
  using Base = tl::expected<T, E>;
  using Base::Base;
  Result(Base base) : Base(std::move(base)) {}
};

// `return failure(ErrorKind::corrupt, "...")` from a function that returns any Result<T>.
[[nodiscard]] inline tl::unexpected<Error> failure(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// `return failure(error)` for any error type.
template <class E>
[[nodiscard]] constexpr tl::unexpected<E> failure(E error) {
  return tl::unexpected<E>(std::move(error));
}

// Prints the broken invariant and aborts.
[[noreturn]] void invariant_broken(std::string_view what, std::source_location where);

// An invariant of our own code. Never used on what comes from outside: that is a Result.
inline void check(bool holds, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    invariant_broken(what, where);
}

}  // namespace millrace
