// Archives of small files.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.cli.operations:tar_file;

import millrace.cli.frame;

export namespace millrace::cli {

// In memory, in the format ustar with pax records; for the user alone to read.
class TarFile {
 public:
  explicit TarFile(std::int64_t seconds_since_1970) : time_(seconds_since_1970) {}

  void add(std::string_view name, std::string_view contents);
  [[nodiscard]] std::string finish() &&;

 private:
  void add_entry(char type, std::string_view name, std::string_view contents);

  std::int64_t time_;
  std::string bytes_;
};

// Whole or not at all; for the user's eyes only. A failure, or nothing.
[[nodiscard]] std::optional<Failure> write_private_file(const std::string& path,
                                                        std::string_view contents);

// The body of http://ADDRESS/metrics; a failure is told in its place, as a comment of that format.
[[nodiscard]] std::string metrics_page_of(const std::string& address, bool& is_good);

}  // namespace millrace::cli
