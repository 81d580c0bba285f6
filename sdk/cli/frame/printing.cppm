// Answers as text.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.cli.frame:printing;

import :answer;

export namespace millrace::cli {

enum class Format : std::uint8_t { table, json, tsv };

[[nodiscard]] std::optional<Format> format_of(std::string_view name);

// What goes to standard output; in JSON one object on one line, failures included.
[[nodiscard]] std::string text_of(const Answer& answer, Format format);
// "error: ...", a line for each; what goes to the standard error output. Nothing for JSON.
[[nodiscard]] std::string complaints_of(const Answer& answer, Format format);

[[nodiscard]] std::string json_of(const Cell& cell);
[[nodiscard]] std::string json_of(const Failure& failure);
[[nodiscard]] std::string line_of(const Failure& failure);
// Of the terminal that the file is, if it is one. They may change at any time.
[[nodiscard]] std::optional<std::size_t> terminal_columns(int file);
// Tabs, line ends and backslashes as \t, \n, \r and \\.
[[nodiscard]] std::string tsv_of(std::string_view text);

}  // namespace millrace::cli
