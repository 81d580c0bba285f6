// From files, --set options and settings of the running cluster to a Config. Layers are put on top
// of one another; each value is checked; all problems are reported together.
module;
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:load;

import millrace.base;
import :definition;
import :problem;
import :properties;
import :references;
import :store;
import :value;

export namespace millrace::config {

// What one source says. References are followed in files and on the command line only: settings of
// the running cluster come over the network, and whoever may change them must not read this
// machine's files through them.
struct Layer {
  SourceKind kind = SourceKind::file;
  // For SourceKind::file.
  std::string file;
  std::vector<PropertyEntry> entries;
};

// The arguments of --set, each name=value; spaces around the name do not count. Of a name given
// twice the last value counts, with a warning. Arguments are never repeated in a problem, only
// their names.
[[nodiscard]] Layer parse_overrides(std::span<const std::string> arguments, Problems& problems);

struct LoadRules {
  // Whose required properties must be there.
  Processes process = Processes::none;
  // An unknown name in a file is a warning instead of an error, for files that other programs
  // share. On the command line it is always an error.
  bool allow_unknown_in_files = false;
};

// Why a setting would change nothing, as a sentence. Nothing where it counts, asks for what is so
// anyway, or is no setting at all.
[[nodiscard]] std::optional<std::string> without_effect(const DefinitionSet& definitions,
                                                        std::string_view name,
                                                        std::string_view value);

// A value that a property has unless a layer sets it, in place of its default: a topic's from the
// broker's configuration.
struct InheritedValue {
  PropertyId id;
  Value value;
  // Strongest first; ends with a default.
  std::vector<Setting> settings;
};

struct Built {
  // None when there is an error among the problems.
  std::optional<Config> config;
  Problems problems;
};

// Puts layers together, by the order of their kinds; of two of one kind the later one is stronger.
// Used once, by one thread. `surroundings` may be null when no layer is a file or the command line;
// it must outlive the builder.
class ConfigBuilder {
 public:
  ConfigBuilder(const DefinitionSet& definitions, LoadRules rules, Surroundings* surroundings);

  // Begins with what another load gave, in place of the defaults; layers go on top of it.
  void begin_with(const Config& start) { start_ = start; }
  void inherit(InheritedValue value);
  void add(Layer layer);
  // Reports these with its own.
  void add(const Problems& problems) { problems_.add(problems); }

  [[nodiscard]] Built finish() &&;

 private:
  // A known property as a layer gives it.
  struct Given {
    PropertyId id;
    // Empty for the property itself.
    std::string listener;
  };

  [[nodiscard]] std::optional<References> read_references();
  // `references` is null where references are not followed.
  void take_entry(const Layer& layer, const PropertyEntry& entry, References* references);
  [[nodiscard]] std::optional<Given> identify(const PropertyEntry& entry, const Source& source);
  [[nodiscard]] bool take_foreign(const PropertyEntry& entry, const Source& source);
  void report_unknown(std::string_view name, const Source& source);
  // Why a source of this kind may not set the property; empty when it may.
  [[nodiscard]] static std::string_view why_fixed(const Definition& definition, SourceKind kind);
  void keep(const Given& given, Value value, Setting setting);
  void warn_without_effect(const Definition& definition, const PropertyEntry& entry,
                           std::string_view value, const Source& source);
  void set_defaults();
  void check_required();
  void check_relations();

  LoadRules rules_;
  Surroundings* surroundings_;
  Problems problems_;
  Config config_;
  std::optional<Config> start_;
  std::vector<InheritedValue> inherited_;
  std::vector<Layer> layers_;
  // Properties with an error: nothing more is said about them.
  std::vector<bool> failed_;
};

}  // namespace millrace::config
