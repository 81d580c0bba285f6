#include "millrace/mock/api.hpp"

import millrace.protocol.api;

namespace millrace::inline v1 {

std::string_view name_of(Api api) noexcept {
  return protocol::name_of(static_cast<protocol::ApiKey>(api));
}

}  // namespace millrace::inline v1
