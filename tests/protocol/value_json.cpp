// Values in the shape of Kafka's JSON.
#include <cctype>
#include <cstddef>

#include "json.hpp"

namespace millrace::table {
namespace {

constexpr std::string_view plain_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
    }
    for (std::size_t j = 0; j <= group.size(); ++j) {
      text.push_back(alphabet[bits >> (18 - 6 * j) & 0x3f]);
    }
    if (padded) text.append(3 - group.size(), '=');
  }
  return text;
}

Json structure_json(const Struct& type, int version, const Value& value);

Json element_json(const Field& field, int version, const Value& value) {
  if (value.is_null()) return Json{};
  if (value.boolean() != nullptr) return Json{*value.boolean()};
  if (value.integer() != nullptr) return Json{*value.integer()};
  if (value.number() != nullptr) return Json{*value.number()};
  if (value.fields() != nullptr) return structure_json(*field.structure, version, value);
  if (field.type == Type::uuid) return Json{base64(*value.raw(), url_alphabet, false)};
  if (field.type == Type::string) return Json{*value.raw()};
  return Json{base64(*value.raw(), plain_alphabet, true)};
}

Json value_json(const Field& field, int version, const Value& value) {
  if (value.list() == nullptr) return element_json(field, version, value);
  JsonArray items;
  for (const Value& item : *value.list()) items.push_back(element_json(field, version, item));
  return Json{std::move(items)};
}

Json structure_json(const Struct& type, int version, const Value& value) {
  JsonObject members;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const Field& field = type.fields[i];
    const Value& member = value.fields()->members[i];
    const bool tagged = field.tagged.contains(version);
    if (!field.versions.contains(version) || (tagged && member == field.default_value)) continue;
    std::string name = field.name;
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    members.push_back(JsonMember{std::move(name), value_json(field, version, member)});
  }
  return Json{std::move(members)};
}

}  // namespace

Json to_json(const Message& message, int version, const Value& value) {
  return structure_json(*message.top, version, value);
}

}  // namespace millrace::table
