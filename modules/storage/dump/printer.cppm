// Items of a dump as lines of text or as JSON.
module;
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.storage.dump:printer;

import millrace.base;
import :sink;

export namespace millrace::storage {

enum class DumpFormat : std::uint8_t {
  text,          // for people: one line an item, name=value
  tsv,           // the same apart by tabs: the type, then name=value
  json_lines,    // one object a line
  json_document  // one array of these objects
};

// How keys and values of records are shown. A key or value that is no UTF-8 is shown as base64
// under a name that says so (`value_base64`), whatever was asked for.
enum class PayloadForm : std::uint8_t { text, base64, hex };

// Text is handed on when there is so much of it, in the middle of an item too.
inline constexpr std::size_t printer_block_bytes = std::size_t{64} * 1024;

// Writes items: `begin("batch")`, fields in order, `end()`. Holds a block of text, however large
// the items are. Owned by whoever asks for the dump; the sink outlives it. Nothing fails: when the
// sink wants no more, the rest is dropped and wanted() is false.
class ItemPrinter {
 public:
  ItemPrinter(DumpSink& sink, DumpFormat format, PayloadForm payload = PayloadForm::text)
      : sink_(sink), format_(format), payload_(payload) {}

  // `depth` indents lines of text: what belongs to the item above.
  void begin(std::string_view type, std::size_t depth = 0);
  void end();

  void field(std::string_view name, std::string_view text);
  void field(std::string_view name, const char* text) { field(name, std::string_view(text)); }
  template <std::integral Integer>
  void field(std::string_view name, Integer number) {
    if constexpr (std::same_as<Integer, bool>) {
      raw_field(name, number ? "true" : "false");
    } else {
      raw_field(name, std::to_string(number));
    }
  }
  template <class Tag, class Integer>
  void field(std::string_view name, Strong<Tag, Integer> number) {
    field(name, number.value());
  }
  // Null where the data pointer is null.
  void payload(std::string_view name, ByteView bytes);
  // `value` is JSON already; lines of text have it as it is.
  void raw_field(std::string_view name, std::string_view value);

  // A list of groups of fields in an item.
  void open_list(std::string_view name);
  void open_group();
  void close_group();
  void close_list();

  // After the last item: closes the document and hands on what is left. True if the sink has taken
  // everything.
  [[nodiscard]] bool finish();
  [[nodiscard]] bool wanted() const { return wanted_; }

 private:
  [[nodiscard]] bool is_json() const {
    return format_ == DumpFormat::json_lines || format_ == DumpFormat::json_document;
  }
  void name(std::string_view name, std::string_view suffix = {});
  void escaped(std::string_view text);
  void encoded(ByteView bytes, PayloadForm form);
  void hand_on_if_large();
  void hand_on();

  DumpSink& sink_;
  DumpFormat format_;
  PayloadForm payload_;
  std::string text_;
  bool any_item_ = false;
  bool first_in_group_ = false;
  bool first_in_list_ = false;
  bool in_list_ = false;
  bool wanted_ = true;
};

}  // namespace millrace::storage
