#include "millrace/result.hpp"

#include <ostream>
#include <string>
#include <utility>

#include "millrace/error_code.hpp"

import millrace.protocol.api;

namespace millrace::inline v1 {

std::string_view name_of(ErrorCode code) noexcept {
  return protocol::name_of(protocol::error_code_from(static_cast<std::int16_t>(code)));
}

Error::Error(Details details, std::string message)
    : message_(std::move(message)), details_(details) {}

std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << error.message();
}

Failed::Failed(Error error) : std::runtime_error(error.message()), error_(std::move(error)) {}

Failed::~Failed() = default;

namespace detail {

void throw_failed(const Error& error) {
  throw Failed(error);
}

}  // namespace detail

}  // namespace millrace::inline v1
