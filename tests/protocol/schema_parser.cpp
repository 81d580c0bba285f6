// Reads the text of one schema file into fields and structs; schema_resolver.cpp then ties names to
// structs and works out defaults and sizes.
#include "schema_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

namespace millrace::table {
namespace {

struct Line {
  int number = 0;
  std::size_t indent = 0;
  std::vector<std::string> words;
};

std::vector<Line> split_lines(std::string_view text) {
  std::vector<Line> lines;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    rest = rest.substr(0, rest.find('#'));
    Line line{number, std::min(rest.find_first_not_of(' '), rest.size()), {}};
    while (true) {
      const std::size_t start = rest.find_first_not_of(" \t\r");
      if (start == std::string_view::npos) break;
      rest.remove_prefix(start);
      const std::size_t length = std::min(rest.find_first_of(" \t\r"), rest.size());
      line.words.emplace_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    if (!line.words.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

struct TypeName {
  std::string_view name;
  Type type;
};

constexpr std::array<TypeName, 12> type_names{{{"bool", Type::boolean},
                                               {"int8", Type::int8},
                                               {"int16", Type::int16},
                                               {"uint16", Type::uint16},
                                               {"int32", Type::int32},
                                               {"uint32", Type::uint32},
                                               {"int64", Type::int64},
                                               {"float64", Type::float64},
                                               {"string", Type::string},
                                               {"bytes", Type::bytes},
                                               {"records", Type::records},
                                               {"uuid", Type::uuid}}};

constexpr std::array<std::string_view, 6> kinds{"request", "response",        "header",
                                                "data",    "coordinator-key", "coordinator-value"};

using Attributes = std::map<std::string, std::string, std::less<>>;

class Parser {
 public:
  Parser(std::string_view text, std::string path) : lines_(split_lines(text)) {
    parsed_.message.path = std::move(path);
  }

  ParsedSchema parse() {
    if (lines_.empty()) throw SchemaError{1, "the file is empty"};
    head(lines_.front());
    next_ = 1;
    while (next_ < lines_.size() && lines_[next_].words[0] == "struct") common_struct();
    Struct& top = new_struct(lines_.front(), parsed_.message.name);
    fields(top, 0, parsed_.message.versions);
    parsed_.message.top = &top;
    if (next_ < lines_.size()) {
      throw SchemaError{lines_[next_].number, "a struct block must come before the fields"};
    }
    return std::move(parsed_);
  }

 private:
  void head(const Line& line) {
    Message& message = parsed_.message;
    if (line.indent != 0 || line.words.size() < 2) {
      throw SchemaError{line.number, "the first line is `kind Name attributes`"};
    }
    message.kind = line.words[0];
    message.name = line.words[1];
    if (std::ranges::find(kinds, message.kind) == kinds.end()) {
      throw SchemaError{line.number, "unknown kind of message '" + message.kind + "'"};
    }
    const Attributes found =
        attributes(line, 2, {"key", "versions", "flexible", "latest", "listeners", "unknown_tags"});
    message.versions = versions(line, found, "versions");
    if (message.versions.empty() || message.versions.high == version_highest) {
      throw SchemaError{line.number, "versions must be a closed range"};
    }
    message.flexible = versions(line, found, "flexible").intersect(message.versions);
    if (const auto key = found.find("key"); key != found.end()) {
      const auto parsed = Versions::parse(key->second);
      if (!parsed || parsed->empty() || parsed->low != parsed->high) {
        throw SchemaError{line.number, "bad key '" + key->second + "'"};
      }
      message.key = parsed->low;
    }
    message.latest_unstable = choice(line, found, "latest", "unstable");
    message.keeps_unknown_tags = choice(line, found, "unknown_tags", "keep");
    if (const auto listeners = found.find("listeners"); listeners != found.end()) {
      for (std::size_t start = 0; start <= listeners->second.size();) {
        const std::size_t end =
            std::min(listeners->second.find(',', start), listeners->second.size());
        message.listeners.push_back(listeners->second.substr(start, end - start));
        start = end + 1;
      }
    }
  }

  void common_struct() {
    const Line& line = lines_[next_++];
    const auto range = line.words.size() == 3 ? Versions::parse(line.words[2]) : std::nullopt;
    if (line.indent != 0 || !range) {
      throw SchemaError{line.number, "a struct block starts with `struct Name versions`"};
    }
    Struct& made = new_struct(line, line.words[1]);
    parsed_.common.insert(&made);
    fields(made, 1, range->intersect(parsed_.message.versions));
  }

  // Reads the fields at one depth, with the structs that they define, into `owner`.
  void fields(Struct& owner, std::size_t depth, Versions within) {
    const std::size_t indent = depth * 2;
    while (next_ < lines_.size() && lines_[next_].indent >= indent &&
           lines_[next_].words[0] != "struct") {
      const Line& line = lines_[next_];
      if (line.indent != indent) {
        throw SchemaError{line.number, "indented by " + std::to_string(line.indent) +
                                           " spaces where " + std::to_string(indent) +
                                           " are expected"};
      }
      ++next_;
      ParsedField parsed = field(line, within);
      if (next_ < lines_.size() && lines_[next_].indent > indent) {
        if (!parsed.is_struct) {
          throw SchemaError{lines_[next_].number, "only a struct has fields of its own"};
        }
        Struct& nested = new_struct(line, parsed.type_name);
        parsed.field.structure = &nested;
        fields(nested, depth + 1, parsed.field.versions);
      }
      if (parsed.field.versions.empty()) continue;
      if (owner.find(parsed.field.name) != nullptr) {
        throw SchemaError{line.number, "a second field " + parsed.field.name};
      }
      parsed_.notes.push_back({&owner, owner.fields.size(), parsed.type_name, parsed.default_text});
      owner.fields.push_back(std::move(parsed.field));
    }
  }

  struct ParsedField {
    Field field;
    std::string type_name;
    bool is_struct = false;
    std::optional<std::string> default_text;
  };

  ParsedField field(const Line& line, Versions within) {
    if (line.words.size() < 3) {
      throw SchemaError{line.number, "a field is `Name type versions [attributes]`"};
    }
    ParsedField result;
    Field& f = result.field;
    f.line = line.number;
    f.name = line.words[0];
    f.is_array = line.words[1].starts_with("[]");
    result.type_name = line.words[1].substr(f.is_array ? 2 : 0);
    const auto known = std::ranges::find(type_names, result.type_name, &TypeName::name);
    result.is_struct = known == type_names.end();
    f.type = result.is_struct ? Type::structure : known->type;
    Attributes found = attributes(
        line, 3,
        {"nullable", "tag", "tagged", "default", "ignorable", "map_key", "flexible", "entity"});
    found["versions"] = line.words[2];
    f.versions = versions(line, found, "versions").intersect(within);
    f.ignorable = flag(line, found, "ignorable");
    f.map_key = flag(line, found, "map_key");
    f.never_compact = choice(line, found, "flexible", "none");
    if (found.contains("entity")) f.entity = found["entity"];
    if (found.contains("default")) result.default_text = found["default"];
    if (found.contains("nullable")) {
      f.nullable = versions(line, found, "nullable").intersect(f.versions);
      const bool may_be = f.is_array || (fixed_bytes(f.type) == 0);
      if (!may_be) throw SchemaError{line.number, "a " + result.type_name + " is never null"};
    }
    tag_of(line, found, f);
    return result;
  }

  void tag_of(const Line& line, const Attributes& found, Field& f) {
    if (!found.contains("tag")) {
      if (found.contains("tagged")) throw SchemaError{line.number, "tagged= without tag="};
      return;
    }
    const std::string& text = found.find("tag")->second;
    const char* end = text.data() + text.size();
    if (const auto [after, error] = std::from_chars(text.data(), end, f.tag);
        error != std::errc() || after != end) {
      throw SchemaError{line.number, "bad tag '" + text + "'"};
    }
    const bool narrower = found.contains("tagged");
    f.tagged = narrower ? versions(line, found, "tagged").intersect(f.versions) : f.versions;
    if (f.tagged.intersect(parsed_.message.flexible) != f.tagged) {
      throw SchemaError{line.number, "tagged in a version that is not flexible"};
    }
  }

  static Attributes attributes(const Line& line, std::size_t from,
                               const std::vector<std::string_view>& known) {
    Attributes result;
    for (std::size_t i = from; i < line.words.size(); ++i) {
      const std::string& word = line.words[i];
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string name = word.substr(0, equals);
      if (std::ranges::find(known, name) == known.end()) {
        throw SchemaError{line.number, "unknown attribute '" + name + "'"};
      }
      const std::string value = equals < word.size() ? word.substr(equals + 1) : "";
      if (!result.emplace(name, value).second) {
        throw SchemaError{line.number, "attribute '" + name + "' twice"};
      }
    }
    return result;
  }

  static Versions versions(const Line& line, const Attributes& found, std::string_view name) {
    const auto text = found.find(name);
    if (text == found.end()) throw SchemaError{line.number, "no " + std::string(name) + "="};
    const auto parsed = Versions::parse(text->second);
    if (!parsed) throw SchemaError{line.number, "bad versions '" + text->second + "'"};
    return *parsed;
  }

  static bool choice(const Line& line, const Attributes& found, std::string_view name,
                     std::string_view only) {
    const auto text = found.find(name);
    if (text == found.end()) return false;
    if (text->second != only) {
      throw SchemaError{line.number, std::string(name) + " can only be " + std::string(only)};
    }
    return true;
  }

  static bool flag(const Line& line, const Attributes& found, std::string_view name) {
    return choice(line, found, name, "");
  }

  Struct& new_struct(const Line& line, const std::string& name) {
    const auto same = [&](const auto& other) { return other->name == name; };
    if (std::ranges::any_of(parsed_.message.structs, same)) {
      throw SchemaError{line.number, "a second struct " + name};
    }
    parsed_.message.structs.push_back(std::make_unique<Struct>());
    parsed_.message.structs.back()->name = name;
    return *parsed_.message.structs.back();
  }

  std::vector<Line> lines_;
  std::size_t next_ = 0;
  ParsedSchema parsed_;
};

}  // namespace

ParsedSchema parse_schema_text(std::string_view text, std::string path) {
  return Parser(text, std::move(path)).parse();
}

}  // namespace millrace::table
