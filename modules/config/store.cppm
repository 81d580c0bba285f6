// What a load gives: a value for each definition of a set, and where each came from.
module;
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:store;

import millrace.base;
import :definition;
import :problem;
import :value;

export namespace millrace::config {

// One value that was given for a property, whether or not it is the one that counts.
struct Setting {
  // As it was given: an alias, a synonym or the name with a listener's prefix may differ from the
  // property's own name.
  std::string name;
  // In the form that is printed; a secret's text is in no Setting.
  std::string text;
  Source source;
  bool is_secret = false;

  friend bool operator==(const Setting&, const Setting&) = default;
};

// A row of DescribeConfigs.
struct DescribedProperty {
  const Definition* definition = nullptr;
  // Empty for a secret and for a property without a value.
  std::string text;
  bool has_value = false;
  bool is_secret = false;
  SourceKind source = SourceKind::default_value;
  // Strongest first; the first one counts.
  std::vector<Setting> settings;
};

// The values of one load, not changed afterwards: a process that reloads makes a new one and swaps
// it. Copyable, owned by whoever loaded it, readable from all threads. Reading cannot fail.
class Config {
 public:
  [[nodiscard]] const DefinitionSet& definitions() const { return definitions_; }

  [[nodiscard]] const Value& value(PropertyId id) const { return values_[id.value()]; }
  // For one listener, by its name in any case: its own value, else the general one.
  [[nodiscard]] const Value& value(PropertyId id, std::string_view listener) const;

  // Whether somebody gave a value, be it the default.
  [[nodiscard]] bool is_set(PropertyId id) const;
  [[nodiscard]] Source source(PropertyId id) const;
  // All that was given, strongest first; the default, if there is one, is the last.
  [[nodiscard]] std::vector<Setting> settings(PropertyId id) const;
  // Whether the value is a password or came by reference.
  [[nodiscard]] bool is_secret(PropertyId id) const;
  // The value as text, "[hidden]" for a secret, "" without a value.
  [[nodiscard]] std::string printed(PropertyId id) const;
  // Every property in the order of the definitions.
  [[nodiscard]] std::vector<DescribedProperty> describe() const;

 private:
  friend class ConfigBuilder;

  struct Kept {
    PropertyId id;
    Setting setting;
  };
  struct ForListener {
    // In capitals.
    std::string listener;
    PropertyId id;
    Value value;
    Setting setting;
  };

  explicit Config(const DefinitionSet& definitions) : definitions_(definitions) {}
  [[nodiscard]] const Kept* strongest(PropertyId id) const;

  DefinitionSet definitions_;
  std::vector<Value> values_;
  // Strongest first within each property.
  std::vector<Kept> kept_;
  std::vector<ForListener> for_listeners_;
};

// A value in the notation of property files. parse_value reads the same value back. Passwords give
// hidden_text, no value gives "".
[[nodiscard]] std::string to_text(const Definition& definition, const Value& value);

}  // namespace millrace::config
