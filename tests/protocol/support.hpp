// What the tests of this folder share: the project's schemas and golden files.
#pragma once

#include <string>
#include <vector>

#include "schema.hpp"

namespace millrace::table {

// The schemas of the project; a test failure and nothing when they cannot be read.
[[nodiscard]] std::vector<Message> project_messages();

// An instance that Kafka's own classes wrote; tests/golden/README.md tells what the labels mean.
struct GoldenLine {
  std::string place;  // file and line
  int version = 0;
  std::string label;
  std::string bytes;
  std::string json;
};

// The instances of one message; a test failure and nothing when there are none.
[[nodiscard]] std::vector<GoldenLine> golden_lines(const Message& message);

}  // namespace millrace::table
