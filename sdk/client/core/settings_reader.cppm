// Reads properties into typed settings and collects what is wrong with them. Inside this module
// only.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.core:settings_reader;

import millrace.base;
import :settings;

export namespace millrace::client {

inline constexpr std::int64_t int_max = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t long_max = std::numeric_limits<std::int64_t>::max();

// A name that Kafka's clients have and this one does not; `harmless` is the value that asks for
// nothing that is missing, if there is one.
struct UnsupportedName {
  std::string_view name;
  std::string_view harmless;
  bool has_harmless = false;
};

// Of all clients: security, Java's plug-ins, metrics of Java.
[[nodiscard]] std::span<const UnsupportedName> unsupported_everywhere();
[[nodiscard]] std::span<const UnsupportedName> unsupported_of_producers();
[[nodiscard]] std::span<const UnsupportedName> unsupported_of_consumers();

// Whole milliseconds; what does not fit into a Duration is the longest there is.
[[nodiscard]] Duration duration_of_milliseconds(std::int64_t milliseconds);
// "P1DT2H3M4.5S", as auto.offset.reset has it; not negative.
[[nodiscard]] std::optional<Duration> duration_from_iso(std::string_view text);

// One pass over the properties of one client. What was asked for is known; finish() then finds the
// rest. A value of one thread.
class SettingsReader {
 public:
  // Such as "producer", for the sentences.
  SettingsReader(const Properties& given, std::string_view client);

  [[nodiscard]] bool is_given(std::string_view name) const { return given_.contains(name); }
  // What was asked for.
  [[nodiscard]] std::vector<std::string_view> known() const {
    return {known_.begin(), known_.end()};
  }
  void problem(std::string sentence) { problems_.push_back(std::move(sentence)); }

  // Null if it is not given. Spaces around a value do not count.
  [[nodiscard]] const std::string* text(std::string_view name);
  void text(std::string_view name, std::string& into);
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name, std::int64_t min,
                                                   std::int64_t max);
  void number(std::string_view name, std::int32_t& into, std::int64_t min,
              std::int64_t max = int_max);
  void bytes(std::string_view name, std::size_t& into, std::int64_t min, std::int64_t max);
  void milliseconds(std::string_view name, Duration& into, std::int64_t min, std::int64_t max);
  void flag(std::string_view name, bool& into);
  // The elements between commas, without empty ones.
  [[nodiscard]] std::optional<std::vector<std::string>> list(std::string_view name);
  // "x must be one of a, b; it is \"c\"".
  void not_one_of(std::string_view name, std::string_view choices);

  // Tells of names that nobody asked for.
  [[nodiscard]] SettingsProblems finish(std::span<const UnsupportedName> unsupported);

 private:
  void leftover(const std::string& name, const std::string& value,
                std::span<const UnsupportedName> unsupported);

  std::string_view client_;
  std::map<std::string, std::string, std::less<>> given_;
  std::set<std::string_view> known_;
  SettingsProblems problems_;
};

void read_common(SettingsReader& reader, CommonSettings& common,
                 std::string_view bootstrap = "bootstrap.servers");

// By our name or the class that Java's settings name.
[[nodiscard]] std::optional<PartitionerKind> partitioner_from(std::string_view name);
[[nodiscard]] std::optional<AssignorKind> assignor_from(std::string_view name);

}  // namespace millrace::client
