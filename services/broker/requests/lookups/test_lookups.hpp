// What the tests of lookups share: a client of the listener PLAINTEXT, which may do all but what
// the test refuses.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

// These import modules: they come after all that includes standard headers.
#include "../test_cluster.hpp"

import millrace.base;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.security;

namespace millrace::broker {

using protocol::ErrorCode;

inline std::int16_t code_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

class RefusesSome final : public security::Authorizer {
 public:
  bool authorize(const security::Session&, security::Operation, security::ResourceType,
                 std::string_view name) override {
    return !names.contains(std::string(name));
  }
  bool restricts() const override { return true; }
  std::set<std::string> names;
};

struct Client {
  ClusterView view(std::shared_ptr<const metadata::Image> seen, std::string_view listener) {
    image = std::move(seen);
    return {.image = *image, .listener = listener, .permissions = {authorizer, session}};
  }
  ClusterView view(std::shared_ptr<const metadata::Image> seen) {
    return view(std::move(seen), "PLAINTEXT");
  }

  RefusesSome authorizer;
  security::Session session;
  std::shared_ptr<const metadata::Image> image;
  protocol::Arena arena{answer_arena_bytes_max};
};

template <class T>
std::vector<T> listed(const protocol::Array<T>& array) {
  return {array.begin(), array.end()};
}

}  // namespace millrace::broker
