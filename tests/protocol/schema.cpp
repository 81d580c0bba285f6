#include "schema.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace millrace::table {

std::optional<Versions> Versions::parse(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const char* end = digits.data() + digits.size();
    const auto [after, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc() || after != end || value < 0 || value > version_highest) {
      return std::nullopt;
    }
    return value;
  };
  if (text == "none") return Versions{};
  const std::size_t dash = text.find('-');
  const bool open = text.ends_with('+');
  const auto low = number(open ? text.substr(0, text.size() - 1) : text.substr(0, dash));
  if (!low) return std::nullopt;
  if (open) return Versions{*low, version_highest};
  if (dash == std::string_view::npos) return Versions{*low, *low};
  const auto high = number(text.substr(dash + 1));
  if (!high || *high < *low) return std::nullopt;
  return Versions{*low, *high};
}

Versions Versions::intersect(Versions other) const {
  const Versions both{std::max(low, other.low), std::min(high, other.high)};
  return both.empty() ? Versions{} : both;
}

std::size_t fixed_bytes(Type type) {
  switch (type) {
    case Type::boolean:
    case Type::int8:
      return 1;
    case Type::int16:
    case Type::uint16:
      return 2;
    case Type::int32:
    case Type::uint32:
      return 4;
    case Type::int64:
    case Type::float64:
      return 8;
    case Type::uuid:
      return 16;
    case Type::string:
    case Type::bytes:
    case Type::records:
    case Type::structure:
      return 0;
  }
  return 0;
}

const Field* Struct::find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

std::string Message::stem() const {
  return std::filesystem::path(path).stem().string();
}

tl::expected<std::vector<Message>, std::string> read_schemas(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".schema") paths.push_back(entry->path());
  }
  if (error) return tl::unexpected(folder.string() + ": " + error.message());
  std::ranges::sort(paths);
  std::vector<Message> messages;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) return tl::unexpected(path.string() + ": cannot be read");
    auto message = parse_message(text, path.string());
    if (!message) return tl::unexpected(std::move(message.error()));
    messages.push_back(std::move(*message));
  }
  return messages;
}

}  // namespace millrace::table
