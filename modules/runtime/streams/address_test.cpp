// Also proves system_address.cppm.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

import millrace.runtime.streams;

namespace millrace {
namespace {

constexpr Port port{9092};

TEST(SocketAddress, has_the_text_that_people_know) {
  EXPECT_EQ(to_string(address_from_string("192.0.2.17", port).value()), "192.0.2.17:9092");
  EXPECT_EQ(to_string(address_from_string("2001:db8::1", port).value()), "[2001:db8::1]:9092");
  EXPECT_EQ(address_from_string("2001:0DB8:0:0::1", port).value().host(), "2001:db8::1");
  SocketAddress link_local = address_from_string("fe80::1", port).value();
  link_local.scope = 2;
  EXPECT_EQ(link_local.host(), "fe80::1%2");
}

TEST(SocketAddress, reads_numbers_only) {
  for (const char* text :
       {"", "localhost", "192.0.2", "192.0.2.256", "::1::", "1.2.3.4:5", "[::1]"}) {
    const auto address = address_from_string(text, port);
    EXPECT_FALSE(address) << text;
  }
  EXPECT_EQ(address_from_string("localhost", port).error().message,
            "localhost is no numeric address");
}

TEST(SocketAddress, differ_by_host_and_port) {
  const auto one = address_from_string("127.0.0.1", port).value();
  EXPECT_EQ(one, address_from_string("127.0.0.1", port).value());
  EXPECT_NE(one, address_from_string("127.0.0.2", port).value());
  EXPECT_NE(one, address_from_string("127.0.0.1", Port{1}).value());
  EXPECT_NE(one, address_from_string("::1", port).value());
}

TEST(SocketAddress, of_a_name_are_looked_up) {
  const auto found = resolve("localhost", port);
  ASSERT_TRUE(found) << found.error().message;
  for (const SocketAddress& address : *found) {
    EXPECT_TRUE(address.host() == "127.0.0.1" || address.host() == "::1") << address.host();
    EXPECT_EQ(address.port, port);
  }
  EXPECT_EQ(resolve("192.0.2.1", port).value(),
            std::vector{address_from_string("192.0.2.1", port).value()});
}

TEST(SocketAddress, of_an_empty_name_are_all_interfaces) {
  const auto found = resolve("", port);
  ASSERT_TRUE(found) << found.error().message;
  const auto any = address_from_string("0.0.0.0", port).value();
  EXPECT_NE(std::find(found->begin(), found->end(), any), found->end());
}

TEST(SocketAddress, of_a_name_that_has_none_is_an_error_that_names_it) {
  const auto found = resolve("no.such.host.invalid", port);
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().message.starts_with("no.such.host.invalid has no address: "))
      << found.error().message;
}

}  // namespace
}  // namespace millrace
