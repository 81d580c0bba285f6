// What is found in one file, on its way to the observer.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

export module millrace.storage.dump:findings;

import millrace.base;
import :verify;

namespace millrace::storage {

// Where all findings of a check go.
struct FindingTarget {
  VerifyObserver& observer;
  const VerifyOptions& options;
  VerifySummary& summary;
};

// Counts what is found in a file and hands it on, so much at the most.
class FileFindings {
 public:
  FileFindings(FindingTarget& target, std::string file) : target_(target), file_(std::move(file)) {}
  FileFindings(const FileFindings&) = delete;
  FileFindings& operator=(const FileFindings&) = delete;
  ~FileFindings() {
    if (count_ <= target_.options.findings_per_file_max) return;
    target_.observer.found({worst_left_out_, FindingKind::more, file_, 0,
                            std::to_string(count_ - target_.options.findings_per_file_max) +
                                " more findings in this file"});
  }

  void add(FindingSeverity severity, FindingKind kind, std::uint64_t position,
           std::string message) {
    ++target_.summary.findings[static_cast<std::size_t>(severity)];
    if (++count_ <= target_.options.findings_per_file_max) {
      target_.observer.found({severity, kind, file_, position, std::move(message)});
    } else if (severity > worst_left_out_) {
      worst_left_out_ = severity;
    }
  }

  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  FindingTarget& target_;
  std::string file_;
  std::size_t count_ = 0;
  FindingSeverity worst_left_out_ = FindingSeverity::note;
};

}  // namespace millrace::storage
