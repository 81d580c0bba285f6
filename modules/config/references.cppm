// Secrets by reference: values that name where a secret lies instead of holding it, in the notation
// of Kafka's configuration providers.
//
//   ${file:/path/to/file:key}        the property `key` of a property file
//   ${directory:/path/to/folder:key} the whole file `key` of a folder, as Kubernetes mounts secrets
//   ${env:NAME}                      an environment variable
//
// Without config.providers these three names are there. With it, only those that it names, as in
// Kafka; config.providers.<name>.class then says which of the three a name of the user's own stands
// for.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:references;

import millrace.base;
import :problem;
import :properties;

export namespace millrace::config {

// What a load reads besides the text that it is given. Handed in, so that tests and the simulator
// need neither files nor an environment. Used by the thread that loads.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // Fails for a file that is larger than bytes_max.
  [[nodiscard]] virtual Result<std::string> read_file(const std::string& path,
                                                      std::size_t bytes_max) = 0;
  [[nodiscard]] virtual std::optional<std::string> variable(const std::string& name) = 0;
};

// Files and environment of this process. The environment must not change during a load.
class ProcessSurroundings final : public Surroundings {
 public:
  [[nodiscard]] Result<std::string> read_file(const std::string& path,
                                              std::size_t bytes_max) override;
  [[nodiscard]] std::optional<std::string> variable(const std::string& name) override;
};

// Files and variables that are given: for the simulator and for tests.
class MemorySurroundings final : public Surroundings {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> variables;

  [[nodiscard]] Result<std::string> read_file(const std::string& path,
                                              std::size_t bytes_max) override;
  [[nodiscard]] std::optional<std::string> variable(const std::string& name) override;
};

struct Provider {
  enum class Kind : std::uint8_t { file, directory, environment };

  Kind kind = Kind::file;
  // Folders to which file and directory are confined; empty: anywhere.
  std::vector<std::string> allowed_paths = {};
  // Regular expression that a variable's whole name must match; empty: any.
  std::string allowed_names = {};
};

// By the name that stands behind "${".
using Providers = std::map<std::string, Provider, std::less<>>;

// file, directory and env, unconfined.
[[nodiscard]] Providers default_providers();

// One setting that may belong to config.providers, with where it stands.
struct LocatedEntry {
  std::string_view name;
  std::string_view value;
  const Source* source = nullptr;
};

// Reads config.providers and config.providers.<name>.* out of `entries`, of which later ones win;
// other entries are passed over.
[[nodiscard]] Providers read_providers(const std::vector<LocatedEntry>& entries,
                                       Problems& problems);

// Whether a property belongs to read_providers.
[[nodiscard]] bool is_provider_property(std::string_view name);

struct Resolved {
  std::string text;
  // A secret: the text must not be printed.
  bool by_reference = false;
};

// Replaces references in the values of one load. `surroundings` must outlive it. Each file is read
// once. What a reference gives is taken as it is: references in it are not followed. Owned by the
// load, used by its thread.
class References {
 public:
  References(Providers providers, Surroundings& surroundings);

  // The error says which reference failed and why; it never repeats what was read.
  [[nodiscard]] Result<Resolved, std::string> resolve(std::string_view value);

  // Of the property files that were read.
  [[nodiscard]] const Problems& warnings() const { return warnings_; }

 private:
  using Text = Result<std::string, std::string>;

  [[nodiscard]] Text look_up(std::string_view reference);
  [[nodiscard]] Text from_file(std::string_view path, std::string_view key);
  [[nodiscard]] Text from_directory(std::string_view path, std::string_view key);
  [[nodiscard]] Text from_environment(const Provider& provider, std::string_view name);
  [[nodiscard]] Result<const std::string*, std::string> contents(std::string_view path);

  Providers providers_;
  Surroundings& surroundings_;
  std::map<std::string, std::string, std::less<>> files_;
  std::map<std::string, ParsedProperties, std::less<>> property_files_;
  Problems warnings_;
};

}  // namespace millrace::config
