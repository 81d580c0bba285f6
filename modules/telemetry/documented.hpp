// Whether docs/metrics.md tells of the metrics of a registry; for the tests of those who measure.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

import millrace.telemetry;

namespace millrace::telemetry {

// Expects that the page holds each row that the registry prints of metrics whose names begin so;
// gives how many there are.
inline std::size_t documented_rows(const Registry& registry, std::string_view names = "millrace_") {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/docs/metrics.md", std::ios::binary);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::string table = registry.documentation();
  const std::string beginning = "| `" + std::string(names);
  std::size_t rows = 0;
  for (std::size_t begin = table.find(beginning); begin != std::string::npos;
       begin = table.find(beginning, begin + 1)) {
    const std::string row = table.substr(begin, table.find('\n', begin) + 1 - begin);
    // The registry's own, which every process has.
    if (row.find("_over_limit_") != std::string::npos) continue;
    ++rows;
    EXPECT_NE(page.find(row), std::string::npos) << "docs/metrics.md should hold\n" << row;
  }
  return rows;
}

}  // namespace millrace::telemetry
