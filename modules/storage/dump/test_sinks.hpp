// What dumps and checks say, kept for tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

import millrace.storage.dump;

namespace millrace::storage {

class TextSink final : public DumpSink {
 public:
  [[nodiscard]] bool write(std::string_view part) override {
    largest = std::max(largest, part.size());
    text += part;
    return ++pieces != refused_piece;
  }

  std::string text;
  std::size_t largest = 0;
  std::size_t pieces = 0;
  std::size_t refused_piece = 0;
};

class FindingList final : public VerifyObserver {
 public:
  void found(const Finding& finding) override { findings.push_back(finding); }
  [[nodiscard]] bool progress(const VerifyProgress&) override { return ++parts != stop_after; }

  [[nodiscard]] std::string text() const {
    std::string all;
    for (const Finding& finding : findings) {
      all += std::string(name_of(finding.severity)) + " " + std::string(name_of(finding.kind)) +
             " " + finding.file + ":" + std::to_string(finding.position) + ": " + finding.message +
             "\n";
    }
    return all;
  }

  std::vector<Finding> findings;
  std::size_t parts = 0;
  std::size_t stop_after = 0;
};

}  // namespace millrace::storage
