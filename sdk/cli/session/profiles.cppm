// Profiles: settings of clients under a name, in a file of the user.
module;
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

export module millrace.cli.session:profiles;

import millrace.cli.frame;

export namespace millrace::cli {

using Settings = std::vector<std::pair<std::string, std::string>>;

// The file's contents:
//
//   current = staging
//
//   [staging]
//   bootstrap.servers = a:9092,b:9092
//
// Lines that begin with # are comments; they are lost when the program writes the file.
struct Profiles {
  std::string current;  // empty: none
  std::map<std::string, Settings> profiles;

  [[nodiscard]] friend bool operator==(const Profiles&, const Profiles&) = default;
};

// What is wrong is told with its line.
[[nodiscard]] std::variant<Profiles, Failure> parse_profiles(std::string_view text);
[[nodiscard]] std::string text_of(const Profiles& profiles);

// $XDG_CONFIG_HOME/millrace/config, or the same in ~/.config. Empty where there is no home.
[[nodiscard]] std::string profiles_path();
// A file that is not there is an empty one.
[[nodiscard]] std::variant<Profiles, Failure> read_profiles(const std::string& path);
// Whole or not at all; for the user's eyes only, since settings may be secrets.
[[nodiscard]] std::optional<Failure> write_profiles(const std::string& path,
                                                    const Profiles& profiles);

// Whether all kinds of clients know the setting: how brokers are reached, and as whom.
[[nodiscard]] bool is_shared_setting(std::string_view name);
// Not to be shown.
[[nodiscard]] bool is_secret_setting(std::string_view name);

}  // namespace millrace::cli
