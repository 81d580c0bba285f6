// Text of JSON, and bytes as text.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

export module millrace.storage.dump:json;

import millrace.base;
import millrace.protocol.wire;

export namespace millrace::storage {

// Without the quotes around it. What is not UTF-8 becomes U+FFFD.
void append_json_escaped(std::string& to, std::string_view text);
void append_base64(std::string& to, ByteView bytes);
void append_hex(std::string& to, ByteView bytes);
[[nodiscard]] bool is_utf8(ByteView bytes);

// Writes one value of JSON on one line, with the conventions of Kafka's own JSON form of its
// messages: bytes and uuids as base64 text, numbers as they are. What the generated printers of
// messages write to; a value without failure and without limits but those of the message.
class JsonWriter {
 public:
  void open_object() {
    separate();
    text_ += '{';
    first_ = true;
  }
  void close_object() {
    text_ += '}';
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    first_ = true;
  }
  void null() { raw("null"); }

  void value(bool flag) { raw(flag ? "true" : "false"); }
  void value(std::int8_t number) { raw(std::to_string(number)); }
  void value(std::int16_t number) { raw(std::to_string(number)); }
  void value(std::uint16_t number) { raw(std::to_string(number)); }
  void value(std::int32_t number) { raw(std::to_string(number)); }
  void value(std::uint32_t number) { raw(std::to_string(number)); }
  void value(std::int64_t number) { raw(std::to_string(number)); }
  void value(double number) { raw(formatted("{:.17g}", number)); }
  void value(const Uuid& uuid) { text(to_string(uuid), false); }
  void value(protocol::Bytes bytes);
  void value(protocol::String string) { text(string, false); }

  void text(protocol::String string, bool nullable) {
    if (nullable && string.data() == nullptr) return null();
    separate();
    quote(string);
  }

  template <class T, class PrintItem>
  void array(const protocol::Array<T>& items, PrintItem print_item) {
    if (items.is_null()) return null();
    separate();
    text_ += '[';
    first_ = true;
    for (const T& item : items) print_item(item);
    text_ += ']';
    first_ = false;
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void raw(std::string_view token) {
    separate();
    text_ += token;
  }
  void quote(std::string_view string) {
    text_ += '"';
    append_json_escaped(text_, string);
    text_ += '"';
  }

  std::string text_;
  bool first_ = true;
};

}  // namespace millrace::storage
