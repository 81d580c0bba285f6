// What settings there are, for people: types, defaults, importance, meaning.
module;
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.core:settings_catalog;

import millrace.base;
import :settings;

export namespace millrace::client {

enum class ClientKind : std::uint8_t { producer, consumer, admin };

// The names that such a client reads.
[[nodiscard]] std::vector<std::string_view> setting_names(ClientKind kind);

// A setting as one kind of client has it.
struct SettingInfo {
  std::string_view name;
  std::string_view type;
  std::optional<std::string_view> default_value;  // none: it is not set, and means something else
  std::string_view importance;
  std::string_view meaning;
};

// Sorted by name.
[[nodiscard]] std::vector<SettingInfo> settings_of(ClientKind kind);

// The page docs/sdk/reference/settings.md.
[[nodiscard]] std::string settings_reference();

}  // namespace millrace::client
