// What a property is: its name, type, default, range, who takes it and what it means. Definitions
// are data: constexpr tables in registry/, one per area. Everything else here reads those tables.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

export module millrace.config:definition;

import millrace.base;

export namespace millrace::config {

// How Kafka calls the type, for DescribeConfigs.
enum class Type : std::uint8_t { boolean, int16, int32, int64, real, string, list, password };

// What the value stands for; together with Type it decides the C++ type that a reader gets.
enum class Meaning : std::uint8_t {
  plain,
  choice,  // one of a fixed set of words; in a list, each element is
  milliseconds,
  seconds,
  minutes,
  hours,
  bytes,
  listeners,   // NAME://host:port, ...
  host_ports,  // host:port, ...
  voters,      // id@host:port, ...
  pairs,       // name:value, ...
};

enum class Importance : std::uint8_t { high, medium, low };

// Whether a property can be set while the cluster runs, and how far such a setting reaches.
enum class Change : std::uint8_t { read_only, per_broker, cluster_wide, per_topic };

// A set of processes, written as `broker | coordinator`.
enum class Processes : std::uint8_t { none = 0, broker = 1, controller = 2, coordinator = 4 };

[[nodiscard]] constexpr Processes operator|(Processes left, Processes right) {
  return static_cast<Processes>(static_cast<unsigned>(left) | static_cast<unsigned>(right));
}
[[nodiscard]] constexpr bool overlaps(Processes left, Processes right) {
  return (static_cast<unsigned>(left) & static_cast<unsigned>(right)) != 0;
}

// The default as it would stand in a file; or no value at all; or one that the user must give.
class Default {
 public:
  constexpr Default(const char* text) : text_(text) {}

  [[nodiscard]] static constexpr Default none() { return Default(Kind::none); }
  [[nodiscard]] static constexpr Default required() { return Default(Kind::required); }

  [[nodiscard]] constexpr bool is_none() const { return kind_ == Kind::none; }
  [[nodiscard]] constexpr bool is_required() const { return kind_ == Kind::required; }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  enum class Kind : std::uint8_t { text, none, required };
  constexpr explicit Default(Kind kind) : kind_(kind) {}

  std::string_view text_;
  Kind kind_ = Kind::text;
};

// Allowed numbers, both ends included, and one that is allowed besides ("[1, 9] or -1").
struct Range {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::optional<std::int64_t> also = std::nullopt;

  friend constexpr bool operator==(const Range&, const Range&) = default;
};

[[nodiscard]] constexpr Range at_least(std::int64_t min) {
  return {.min = min};
}
[[nodiscard]] constexpr Range between(std::int64_t min, std::int64_t max) {
  return {.min = min, .max = max};
}
[[nodiscard]] constexpr Range or_also(Range range, std::int64_t also) {
  range.also = also;
  return range;
}

// A few words, held by value so that a definition is one literal.
class Words {
 public:
  static constexpr std::size_t count_max = 8;

  constexpr Words() = default;
  constexpr Words(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) words_.at(count_++) = word;
  }

  [[nodiscard]] constexpr std::span<const std::string_view> all() const {
    return std::span(words_).first(count_);
  }
  [[nodiscard]] constexpr bool empty() const { return count_ == 0; }
  [[nodiscard]] constexpr std::optional<std::size_t> find(std::string_view word) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (words_[i] == word) return i;
    }
    return std::nullopt;
  }

 private:
  std::array<std::string_view, count_max> words_{};
  std::size_t count_ = 0;
};

struct ListRules {
  bool may_be_empty = false;
  bool may_repeat = false;
};

// A broker property that gives a topic property its default, and what its unit is in the topic's.
struct Synonym {
  std::string_view name;
  std::int64_t factor = 1;
};

// Broker properties for one topic property; the first that has a value decides.
class Synonyms {
 public:
  static constexpr std::size_t count_max = 3;

  constexpr Synonyms() = default;
  constexpr Synonyms(std::initializer_list<Synonym> synonyms) {
    for (const Synonym& synonym : synonyms) synonyms_.at(count_++) = synonym;
  }

  [[nodiscard]] constexpr std::span<const Synonym> all() const {
    return std::span(synonyms_).first(count_);
  }

 private:
  std::array<Synonym, count_max> synonyms_{};
  std::size_t count_ = 0;
};

struct Definition {
  std::string_view name = {};
  Type type = Type::string;
  Meaning meaning = Meaning::plain;
  Default default_value = Default::none();
  Range range = {};
  Words choices = {};
  bool ignores_case = false;
  ListRules list = {};
  Importance importance = Importance::medium;
  Change change = Change::read_only;
  Processes processes = Processes::none;
  // Another name under which Kafka takes the same property.
  std::string_view alias = {};
  // It may be given for one listener: listener.name.<listener>.<name>.
  bool per_listener = false;
  Synonyms synonyms = {};
  // Why nothing reads it yet, as the end of a sentence; empty: its value counts.
  std::string_view without_effect = {};
  std::string_view doc = {};
};

// Position of a definition in its set.
using PropertyId = Strong<struct PropertyIdTag, std::uint16_t>;

// Names that users bring along from Kafka and that do nothing here.
struct ForeignName {
  enum class Treatment : std::uint8_t {
    // Leaving it out changes nothing that a client or operator relies on: a warning.
    ignored,
    // Leaving it out silently would weaken security or lose what was asked for: an error.
    refused,
  };

  // A name; one that ends in a dot stands for all names that begin with it.
  std::string_view name = {};
  Treatment treatment = Treatment::ignored;
  // Why, as the end of a sentence.
  std::string_view reason = {};
  // A value that, as an empty one, asks for nothing: a refused name is let pass with it.
  std::string_view harmless_value = {};
};

// The value of `smaller` must not be above that of `larger`.
struct Relation {
  std::string_view smaller;
  std::string_view larger;
};

// All that a load needs to know of one kind of configuration. Views of constexpr tables.
struct DefinitionSet {
  std::span<const Definition> definitions;
  std::span<const ForeignName> foreign_names;
  std::span<const Relation> relations;
  // The topic properties, whose names are often confused with those of the broker's defaults.
  std::span<const Definition> topic_definitions;

  // By name or alias.
  [[nodiscard]] constexpr std::optional<PropertyId> find(std::string_view name) const {
    for (std::size_t i = 0; i < definitions.size(); ++i) {
      const Definition& definition = definitions[i];
      if (definition.name == name || (!definition.alias.empty() && definition.alias == name)) {
        return PropertyId(static_cast<std::uint16_t>(i));
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] constexpr const Definition& operator[](PropertyId id) const {
    return definitions[id.value()];
  }
};

// Kafka's name of the type: "BOOLEAN", "INT", ...
[[nodiscard]] std::string_view kafka_name(Type type);
[[nodiscard]] std::string_view name_of(Importance importance);
[[nodiscard]] std::string_view name_of(Change change);
// "broker, coordinator".
[[nodiscard]] std::string names_of(Processes processes);
// What may be given, for messages and documentation: "1 to 9, or -1", "one of a, b"; empty when
// anything of the type may.
[[nodiscard]] std::string allowed_values(const Definition& definition);
// What the type is for people: "whole number of milliseconds", "list of host:port".
[[nodiscard]] std::string type_text(const Definition& definition);

}  // namespace millrace::config
