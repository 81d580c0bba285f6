// Typed access to a Config: config.get<"log.retention.bytes">(). The name is looked up when
// compiled: one that is not defined does not compile, and the C++ type follows from the definition.
module;
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

export module millrace.config:typed;

import millrace.base;
import :definition;
import :store;
import :value;

export namespace millrace::config {

// The name of a property as a template argument.
template <std::size_t size>
struct Name {
  char text[size]{};

  consteval Name(const char (&from)[size]) {
    for (std::size_t i = 0; i < size; ++i) text[i] = from[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, size - 1}; }
};

// A Set is a struct with a static constexpr member function definitions() that gives a
// DefinitionSet.
template <class Set, Name name>
concept Defined = Set::definitions().find(name.view()).has_value();

template <class Set, Name name>
  requires Defined<Set, name>
inline constexpr PropertyId id_of = *Set::definitions().find(name.view());

template <class Set, Name name>
  requires Defined<Set, name>
inline constexpr const Definition& definition_of = Set::definitions()[id_of<Set, name>];

// One of the choices of a property. Compared with a word that is checked when compiled:
// `config.get<"compression.type">() == "gzip"`.
template <class Set, Name name>
class Choice {
 public:
  class Word {
   public:
    consteval Word(const char* text)
        : index(static_cast<std::uint8_t>(
              definition_of<Set, name>.choices.find(std::string_view(text)).value())) {}
    std::uint8_t index;
  };

  constexpr explicit Choice(std::uint8_t index) : index_(index) {}

  // For switch: `switch (choice.index()) { case Choice::index_of("gzip"): ... }`.
  [[nodiscard]] constexpr std::uint8_t index() const { return index_; }
  [[nodiscard]] static consteval std::uint8_t index_of(Word word) { return word.index; }
  [[nodiscard]] constexpr std::string_view text() const {
    return definition_of<Set, name>.choices.all()[index_];
  }

  friend constexpr bool operator==(Choice, Choice) = default;
  friend constexpr bool operator==(Choice choice, Word word) { return choice.index_ == word.index; }

 private:
  std::uint8_t index_;
};

// Several of the choices of a property, in the order given. A view of the Config.
template <class Set, Name name>
class ChoiceList {
 public:
  using Element = Choice<Set, name>;

  explicit ChoiceList(std::span<const std::uint8_t> indexes) : indexes_(indexes) {}

  [[nodiscard]] bool has(typename Element::Word word) const {
    for (const std::uint8_t index : indexes_) {
      if (index == word.index) return true;
    }
    return false;
  }
  [[nodiscard]] std::size_t size() const { return indexes_.size(); }
  [[nodiscard]] Element operator[](std::size_t position) const {
    return Element(indexes_[position]);
  }

 private:
  std::span<const std::uint8_t> indexes_;
};

// The C++ type of a definition's values, without regard to whether there may be none.
template <Type type, Meaning meaning>
consteval auto plain_type_of() {
  constexpr bool is_number = type == Type::int16 || type == Type::int32 || type == Type::int64;
  if constexpr (type == Type::boolean) {
    return std::type_identity<bool>{};
  } else if constexpr (type == Type::real) {
    return std::type_identity<double>{};
  } else if constexpr (type == Type::password) {
    return std::type_identity<Password>{};
  } else if constexpr (meaning == Meaning::milliseconds) {
    return std::type_identity<std::chrono::milliseconds>{};
  } else if constexpr (meaning == Meaning::seconds) {
    return std::type_identity<std::chrono::seconds>{};
  } else if constexpr (meaning == Meaning::minutes) {
    return std::type_identity<std::chrono::minutes>{};
  } else if constexpr (meaning == Meaning::hours) {
    return std::type_identity<std::chrono::hours>{};
  } else if constexpr (meaning == Meaning::bytes) {
    return std::type_identity<ByteCount>{};
  } else if constexpr (type == Type::int16) {
    return std::type_identity<std::int16_t>{};
  } else if constexpr (type == Type::int32) {
    return std::type_identity<std::int32_t>{};
  } else if constexpr (is_number) {
    return std::type_identity<std::int64_t>{};
  } else if constexpr (meaning == Meaning::listeners) {
    return std::type_identity<std::vector<ListenerAddress>>{};
  } else if constexpr (meaning == Meaning::host_ports) {
    return std::type_identity<std::vector<HostPort>>{};
  } else if constexpr (meaning == Meaning::voters) {
    return std::type_identity<std::vector<Voter>>{};
  } else if constexpr (meaning == Meaning::pairs) {
    return std::type_identity<std::vector<NameValue>>{};
  } else if constexpr (type == Type::list) {
    return std::type_identity<std::vector<std::string>>{};
  } else {
    return std::type_identity<std::string>{};
  }
}

// Numbers, durations and choices come by value, everything else by reference into `value`.
template <class Set, Name name>
[[nodiscard]] decltype(auto) typed(const Value& value) {
  constexpr Type type = definition_of<Set, name>.type;
  constexpr Meaning meaning = definition_of<Set, name>.meaning;
  if constexpr (meaning == Meaning::choice && type == Type::list) {
    return ChoiceList<Set, name>(std::get<ChoiceIndexes>(value));
  } else if constexpr (meaning == Meaning::choice) {
    return Choice<Set, name>(static_cast<std::uint8_t>(std::get<std::int64_t>(value)));
  } else {
    using Plain = typename decltype(plain_type_of<type, meaning>())::type;
    if constexpr (std::is_same_v<Plain, bool> || std::is_same_v<Plain, double>) {
      return Plain(std::get<Plain>(value));
    } else if constexpr (type == Type::int16 || type == Type::int32 || type == Type::int64) {
      return Plain(static_cast<Plain>(std::get<std::int64_t>(value)));
    } else {
      return (std::get<Plain>(value));
    }
  }
}

// The values of one load of a Set. Owned by whoever loaded it, readable from all threads, not
// changed afterwards. A property that may have no value gives an std::optional.
template <class Set>
class TypedConfig {
 public:
  explicit TypedConfig(Config config) : config_(std::move(config)) {}

  template <Name name>
    requires Defined<Set, name>
  [[nodiscard]] decltype(auto) get() const {
    return read<name>(config_.value(id_of<Set, name>));
  }

  // For one listener: its own value, else the general one.
  template <Name name>
    requires Defined<Set, name> && (definition_of<Set, name>.per_listener)
  [[nodiscard]] decltype(auto) get_for(std::string_view listener) const {
    return read<name>(config_.value(id_of<Set, name>, listener));
  }

  template <Name name>
    requires Defined<Set, name>
  [[nodiscard]] Source source() const {
    return config_.source(id_of<Set, name>);
  }

  // For code that walks over all properties.
  [[nodiscard]] const Config& untyped() const { return config_; }

 private:
  template <Name name>
  [[nodiscard]] static decltype(auto) read(const Value& value) {
    const bool has_value = !std::holds_alternative<std::monostate>(value);
    if constexpr (definition_of<Set, name>.default_value.is_none()) {
      using Optional = std::optional<std::remove_cvref_t<decltype(typed<Set, name>(value))>>;
      return has_value ? Optional(typed<Set, name>(value)) : Optional();
    } else {
      check(has_value, "a property without a default is read by a process that requires it");
      return typed<Set, name>(value);
    }
  }

  Config config_;
};

}  // namespace millrace::config
