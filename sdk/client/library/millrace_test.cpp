// The two doors in one file: what is imported and what is included are the same types.
#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>
#include <type_traits>

#include "millrace/millrace.hpp"

import millrace;

namespace {

std::string included(const millrace::v1::Error& error) {
  std::ostringstream out;
  out << error;
  return out.str();
}

TEST(ModuleDoor, gives_the_types_of_the_headers) {
  static_assert(std::is_same_v<millrace::Config, millrace::v1::Config>);
  static_assert(std::is_same_v<millrace::Result<int>, millrace::v1::Result<int>>);
  const millrace::Result<millrace::Uuid> none = millrace::uuid().deserialize("x");
  EXPECT_EQ(included(none.error()),
            "a record's bytes cannot be read as UUID: it is not written as one");
}

TEST(ModuleDoor, brings_the_operators) {
  const millrace::Config merged = millrace::Config{{"a", "1"}} + millrace::Config{{"a", "2"}};
  EXPECT_EQ(merged.get("a"), std::optional<std::string_view>("2"));
}

}  // namespace
