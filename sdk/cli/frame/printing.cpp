module;
#include <sys/ioctl.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

std::string number_text(double number) {
  char text[64] = {};
  const int size = std::snprintf(text, sizeof text, "%.3f", number);
  return std::string(text, static_cast<std::size_t>(std::max(size, 0)));
}

template <class Items, class Append>
std::string list_text(const Items& items, std::string_view separator, Append append) {
  std::string text;
  bool is_first = true;
  for (const auto& item : items) {
    if (!std::exchange(is_first, false)) text += separator;
    append(text, item);
  }
  return text;
}

std::string plain_text(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> std::string {
        using Value = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return "-";
        } else if constexpr (std::is_same_v<Value, bool>) {
          return value ? "yes" : "no";
        } else if constexpr (std::is_same_v<Value, double>) {
          return number_text(value);
        } else if constexpr (std::is_same_v<Value, std::string>) {
          return value;
        } else if constexpr (std::is_same_v<Value, Pairs>) {
          return list_text(value, ",", [](std::string& text, const auto& pair) {
            text += joined(pair.first, "=", pair.second);
          });
        } else if constexpr (std::is_same_v<Value, Texts> || std::is_same_v<Value, Numbers>) {
          return list_text(value, ",",
                           [](std::string& text, const auto& item) { text += joined(item); });
        } else {
          return std::to_string(value);
        }
      },
      cell);
}

// Nothing in a table may end its line or move the terminal's cursor.
std::string without_controls(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char letter) { return letter < 0x20 || letter == 0x7F; }, '?');
  return text;
}

std::string heading_of(std::string_view name) {
  std::string heading(name);
  for (char& letter : heading)
    letter =
        letter == '_' ? '-' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return heading;
}

std::string table_of(const Answer& answer) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : answer.columns)
    if (column.is_in_table) lines.front().push_back(heading_of(column.name));
  for (const auto& row : answer.rows) {
    auto& line = lines.emplace_back();
    for (std::size_t index = 0; index < row.size(); ++index)
      if (answer.columns[index].is_in_table)
        line.push_back(without_controls(plain_text(row[index])));
  }
  std::vector<std::size_t> widths(lines.front().size());
  for (const auto& line : lines)
    for (std::size_t index = 0; index < line.size(); ++index)
      widths[index] = std::max(widths[index], width_of(line[index]));
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t index = 0; index < line.size(); ++index) {
      text += line[index];
      if (index + 1 == line.size()) break;  // no blanks at the end of a line
      text.append(widths[index] - width_of(line[index]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

void append_tsv_cell(std::string& line, const Cell& cell) {
  const bool is_nothing = std::holds_alternative<std::monostate>(cell);
  if (!is_nothing) line += tsv_of(plain_text(cell));
}

std::string tsv_table_of(const Answer& answer) {
  const auto name = [](std::string& text, const Column& column) { text += column.name; };
  std::string text = list_text(answer.columns, "\t", name) + '\n';
  for (const auto& row : answer.rows) text += list_text(row, "\t", append_tsv_cell) + '\n';
  return text;
}

// An answer without rows is one row of its fields.
std::string tsv_fields_of(const Answer& answer) {
  if (answer.fields.empty()) return {};
  const auto name = [](std::string& text, const auto& field) { text += field.first; };
  const auto value = [](std::string& text, const auto& field) {
    append_tsv_cell(text, field.second);
  };
  return list_text(answer.fields, "\t", name) + '\n' + list_text(answer.fields, "\t", value) + '\n';
}

void append_field(std::string& into, std::string_view name, std::string_view json) {
  if (!into.ends_with('{')) into += ',';
  append_quoted(into, name);
  into += ':';
  into += json;
}

std::string object_of(const Answer& answer) {
  std::string text = "{";
  for (const auto& [name, cell] : answer.fields) append_field(text, name, json_of(cell));
  if (!answer.rows_name.empty()) {
    const auto row_object = [&](std::string& into, const std::vector<Cell>& row) {
      std::string object = "{";
      for (std::size_t index = 0; index < row.size(); ++index)
        append_field(object, answer.columns[index].name, json_of(row[index]));
      into += object + '}';
    };
    append_field(text, answer.rows_name, '[' + list_text(answer.rows, ",", row_object) + ']');
  }
  if (!answer.failures.empty()) {
    append_field(text, "error", json_of(answer.failures.front()));
    if (answer.failures.size() > 1) {
      const auto add = [](std::string& into, const Failure& failure) { into += json_of(failure); };
      append_field(text, "errors", '[' + list_text(answer.failures, ",", add) + ']');
    }
  }
  return text + "}\n";
}

}  // namespace

std::optional<Format> format_of(std::string_view name) {
  if (name == "table") return Format::table;
  if (name == "json") return Format::json;
  if (name == "tsv") return Format::tsv;
  return std::nullopt;
}

std::string json_of(const Cell& cell) {
  return std::visit(
      [&cell](const auto& value) -> std::string {
        using Value = std::remove_cvref_t<decltype(value)>;
        std::string text;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          text = "null";
        } else if constexpr (std::is_same_v<Value, bool>) {
          text = value ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, std::string>) {
          append_quoted(text, value);
        } else if constexpr (std::is_same_v<Value, double>) {
          text = std::isfinite(value) ? number_text(value) : "null";
        } else if constexpr (std::is_same_v<Value, Texts>) {
          text = '[' + list_text(value, ",", append_quoted) + ']';
        } else if constexpr (std::is_same_v<Value, Pairs>) {
          text = "{";
          for (const auto& [name, pair_value] : value)
            append_field(text, name, json_of(Cell(pair_value)));
          text += '}';
        } else if constexpr (std::is_same_v<Value, Numbers>) {
          text = '[' + plain_text(cell) + ']';
        } else {
          text = std::to_string(value);
        }
        return text;
      },
      cell);
}

std::string json_of(const Failure& failure) {
  std::string text = "{";
  append_field(text, "code", json_of(Cell(failure.code)));
  append_field(text, "message", json_of(Cell(failure.message)));
  if (!failure.hint.empty()) append_field(text, "hint", json_of(Cell(failure.hint)));
  return text + '}';
}

std::string line_of(const Failure& failure) {
  std::string line = failure.message;
  // What concerns only this program needs no code for people.
  const bool is_of_kafka = !failure.code.empty() && !failure.is_usage && !failure.is_code_plain;
  if (is_of_kafka && line.find(failure.code) == std::string::npos)
    line += joined(" (", failure.code, ")");
  if (!failure.hint.empty()) line += joined("; ", failure.hint);
  return line;
}

std::string tsv_of(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    constexpr std::string_view from = "\t\n\r\\";
    constexpr std::string_view to = "tnr\\";
    const std::size_t found = from.find(letter);
    if (found != std::string_view::npos) escaped += '\\';
    escaped += found == std::string_view::npos ? letter : to[found];
  }
  return escaped;
}

std::string text_of(const Answer& answer, Format format) {
  if (answer.is_printed) {
    const bool is_silent = format != Format::json || answer.failures.empty();
    return is_silent ? std::string() : object_of({.failures = answer.failures});
  }
  if (format == Format::json) return object_of(answer);
  const bool has_table = !answer.columns.empty() && !answer.rows_name.empty();
  if (format == Format::tsv) return has_table ? tsv_table_of(answer) : tsv_fields_of(answer);
  std::string text;
  for (const std::string& sentence : answer.sentences) text += without_controls(sentence) + '\n';
  const bool is_wanted = has_table && !answer.is_table_needless;
  // A table of nothing beside a failure would only hide it.
  if (is_wanted && !(answer.rows.empty() && !answer.failures.empty())) text += table_of(answer);
  return text;
}

std::string complaints_of(const Answer& answer, Format format) {
  std::string text;
  if (format == Format::json) return text;
  for (const Failure& failure : answer.failures)
    text += joined("error: ", without_controls(line_of(failure)), "\n");
  return text;
}

std::optional<std::size_t> terminal_columns(int file) {
  winsize size{};
  if (::ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

}  // namespace millrace::cli
