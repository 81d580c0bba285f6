#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "table_codec.hpp"

namespace millrace::table {
namespace {

void put_big_endian(std::string& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = width; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

bool fits(Type type, std::int64_t value) {
  const auto within = [&]<class Integer>(Integer) {
    return value >= std::int64_t{std::numeric_limits<Integer>::min()} &&
           value <= std::int64_t{std::numeric_limits<Integer>::max()};
  };
  switch (type) {
    case Type::int8:
      return within(std::int8_t{});
    case Type::int16:
      return within(std::int16_t{});
    case Type::uint16:
      return within(std::uint16_t{});
    case Type::int32:
      return within(std::int32_t{});
    case Type::uint32:
      return within(std::uint32_t{});
    default:
      return type == Type::int64;
  }
}

// Notes the first fault and goes on; what is written after one means nothing.
class Encoder {
 public:
  Encoder(const Message& message, int version)
      : version_(version), flexible_(message.is_flexible(version)) {}

  void structure(std::string& out, const Struct& type, const Value& value) {
    const Fields* fields = value.fields();
    if (fields == nullptr || fields->members.size() != type.fields.size()) {
      return fail(type.name, "the value is not this struct");
    }
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      const Field& field = type.fields[i];
      const Value& member = fields->members[i];
      if (field.is_plain_in(version_)) {
        put(out, field, member);
      } else if (!field.versions.contains(version_) && !field.ignorable &&
                 member != field.default_value) {
        fail(field.name, "set, but not in version " + std::to_string(version_));
      }
    }
    if (flexible_) {
      tags(out, type, *fields);
    } else if (!fields->unknown_tags.empty()) {
      fail(type.name, "has tags, but the version is not flexible");
    }
  }

  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  void put(std::string& out, const Field& field, const Value& value) {
    const bool nullable = field.nullable.contains(version_);
    if (value.is_null() && !nullable) return fail(field.name, "may not be null");
    if (field.is_array) return array(out, field, value);
    if (field.type == Type::structure && nullable) {
      // Kafka marks null as -1 in a byte among plain fields, as 0 in a varint inside a tag.
      const char null_mark = field.tagged.contains(version_) ? '\x00' : '\xff';
      out.push_back(value.is_null() ? null_mark : '\x01');
      if (value.is_null()) return;
    }
    element(out, field, value);
  }

  void array(std::string& out, const Field& field, const Value& value) {
    if (value.is_null()) return length(out, field, 4, -1);
    if (value.list() == nullptr) return fail(field.name, "the value is not an array");
    length(out, field, 4, static_cast<std::int64_t>(value.list()->size()));
    for (const Value& item : *value.list()) {
      if (item.is_null()) return fail(field.name, "an element may not be null");
      element(out, field, item);
    }
  }

  void element(std::string& out, const Field& field, const Value& value) {
    switch (field.type) {
      case Type::boolean:
        if (value.boolean() == nullptr) return fail(field.name, "the value is not a boolean");
        return put_big_endian(out, *value.boolean() ? 1 : 0, 1);
      case Type::int8:
      case Type::int16:
      case Type::uint16:
      case Type::int32:
      case Type::uint32:
      case Type::int64:
        if (value.integer() == nullptr || !fits(field.type, *value.integer())) {
          return fail(field.name, "the value is not an integer of this width");
        }
        return put_big_endian(out, static_cast<std::uint64_t>(*value.integer()),
                              fixed_bytes(field.type));
      case Type::float64:
        if (value.number() == nullptr) return fail(field.name, "the value is not a number");
        return put_big_endian(out, std::bit_cast<std::uint64_t>(*value.number()), 8);
      case Type::uuid:
        if (value.raw() == nullptr || value.raw()->size() != fixed_bytes(Type::uuid)) {
          return fail(field.name, "the value is not a uuid");
        }
        out += *value.raw();
        return;
      case Type::string:
      case Type::bytes:
      case Type::records:
        return raw(out, field, value);
      case Type::structure:
        return structure(out, *field.structure, value);
    }
  }

  void raw(std::string& out, const Field& field, const Value& value) {
    const std::size_t width = field.type == Type::string ? 2 : 4;
    if (value.is_null()) return length(out, field, width, -1);
    if (value.raw() == nullptr) return fail(field.name, "the value is not text or bytes");
    length(out, field, width, static_cast<std::int64_t>(value.raw()->size()));
    out += *value.raw();
  }

  void length(std::string& out, const Field& field, std::size_t width, std::int64_t length) {
    if (width == 2 && length > std::numeric_limits<std::int16_t>::max()) {
      fail(field.name, "the text is too long");
    }
    if (flexible_ && !field.never_compact) {
      return put_varint(out, static_cast<std::uint64_t>(length + 1));
    }
    put_big_endian(out, static_cast<std::uint64_t>(length), width);
  }

  void tags(std::string& out, const Struct& type, const Fields& fields) {
    std::vector<UnknownTag> all = fields.unknown_tags;
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      const Field& field = type.fields[i];
      if (!field.tagged.contains(version_) || fields.members[i] == field.default_value) continue;
      UnknownTag tag{field.tag, {}};
      put(tag.payload, field, fields.members[i]);
      all.push_back(std::move(tag));
    }
    std::ranges::sort(all, {}, &UnknownTag::tag);
    if (std::ranges::adjacent_find(all, {}, &UnknownTag::tag) != all.end()) {
      fail(type.name, "has a tag twice");
    }
    put_varint(out, all.size());
    for (const UnknownTag& tag : all) {
      put_varint(out, tag.tag);
      put_varint(out, tag.payload.size());
      out += tag.payload;
    }
  }

  void fail(const std::string& where, const std::string& what) {
    if (!failure_) failure_ = Failure{where + ": " + what, 0};
  }

  int version_;
  bool flexible_;
  std::optional<Failure> failure_;
};

}  // namespace

tl::expected<std::string, Failure> encode(const Message& message, int version, const Value& value) {
  if (!message.versions.contains(version)) {
    return tl::unexpected(Failure{message.name + " has no version " + std::to_string(version), 0});
  }
  Encoder encoder(message, version);
  std::string out;
  encoder.structure(out, *message.top, value);
  if (encoder.failure()) return tl::unexpected(*encoder.failure());
  return out;
}

}  // namespace millrace::table
