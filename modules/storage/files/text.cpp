module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

module millrace.storage.files;

import :error;
import :text;

namespace millrace::storage {

std::optional<std::string_view> Lines::next() {
  ++number_;
  const std::size_t end = rest_.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return line;
}

tl::unexpected<StorageError> Lines::corrupt(std::string_view problem) const {
  return storage_failure(StorageFault::corrupt,
                         formatted("{}, line {}: {}", path_, number_, problem));
}

StorageResult<std::size_t> read_checkpoint_header(Lines& lines) {
  if (lines.at_end()) return std::size_t{0};
  const auto version_line = lines.next();
  if (!version_line) return lines.corrupt("the file is cut off");
  const auto version = read_integer<std::int32_t>(*version_line);
  if (!version) return lines.corrupt("the version is not a number");
  if (*version != checkpoint_version) {
    return lines.corrupt(formatted("version {} is not known", *version));
  }
  const auto count_line = lines.next();
  if (!count_line) return lines.corrupt("the file is cut off");
  const auto count = read_integer<std::int32_t>(*count_line);
  if (!count || *count < 0) return lines.corrupt("the number of entries is not a number");
  return static_cast<std::size_t>(*count);
}

StorageResult<void> check_checkpoint_end(const Lines& lines, std::size_t count) {
  if (lines.at_end()) return {};
  return lines.corrupt(formatted("more follows the {} entries that the file announces", count));
}

std::string format_checkpoint_header(std::size_t count) {
  return formatted("{}\n{}\n", checkpoint_version, count);
}

}  // namespace millrace::storage
