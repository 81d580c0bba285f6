// What the readers of small text files share. They take only what a writer gives: every number has
// one spelling, every line ends in a line break. So most of what a disk can do to such a file is
// noticed.
module;
#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>

export module millrace.storage.files:text;

import millrace.base;
import :error;

namespace millrace::storage {

// Without sign for positive numbers, without leading zeros or anything around.
template <std::integral Integer>
[[nodiscard]] std::optional<Integer> read_integer(std::string_view text) {
  Integer value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  const std::string_view digits = text.substr(text.front() == '-' ? 1 : 0);
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;
  return value;
}

// Walks over the lines of a text that it does not own.
class Lines {
 public:
  Lines(std::string_view text, std::string_view path) : rest_(text), path_(path) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  // Without its line break; nothing where a line lacks it or there is none.
  [[nodiscard]] std::optional<std::string_view> next();

  // "<path>, line 3: <problem>".
  [[nodiscard]] tl::unexpected<StorageError> corrupt(std::string_view problem) const;

 private:
  std::string_view rest_;
  std::string_view path_;
  std::size_t number_ = 0;
};

// The beginning of the checkpoint files: the version, which is 0, and how many lines follow. Both
// lines may be lacking where the file is empty: then it is 0.
[[nodiscard]] StorageResult<std::size_t> read_checkpoint_header(Lines& lines);
// After the last of `count` lines.
[[nodiscard]] StorageResult<void> check_checkpoint_end(const Lines& lines, std::size_t count);
[[nodiscard]] std::string format_checkpoint_header(std::size_t count);

inline constexpr int checkpoint_version = 0;

}  // namespace millrace::storage
