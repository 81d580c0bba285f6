module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.storage.dump;

namespace millrace::storage {

namespace {

// Bytes that are encoded before a look at the size of the block; whole groups of base64.
constexpr std::size_t encoded_piece_bytes = 12 * kibibyte;
static_assert(encoded_piece_bytes % 3 == 0);

constexpr std::string_view plain_marks = "_./:-+";

// Text that needs no quotes between names and values.
bool is_plain(std::string_view text) {
  if (text.empty() || text == "null") return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           plain_marks.find(c) != std::string_view::npos;
  });
}

}  // namespace

void ItemPrinter::begin(std::string_view type, std::size_t depth) {
  if (!is_json()) {
    if (format_ == DumpFormat::text) text_.append(2 * depth, ' ');
    text_ += type;
    first_in_group_ = false;
    return;
  }
  if (format_ == DumpFormat::json_document) text_ += any_item_ ? ",\n" : "[\n";
  any_item_ = true;
  text_ += '{';
  first_in_group_ = true;
  field("type", type);
}

void ItemPrinter::end() {
  if (!is_json()) {
    text_ += '\n';
  } else {
    text_ += format_ == DumpFormat::json_lines ? "}\n" : "}";
  }
  hand_on_if_large();
}

void ItemPrinter::name(std::string_view name, std::string_view suffix) {
  if (!is_json()) {
    if (!first_in_group_) text_ += format_ == DumpFormat::tsv && !in_list_ ? '\t' : ' ';
    text_ += name;
    text_ += suffix;
    text_ += '=';
  } else {
    if (!first_in_group_) text_ += ',';
    text_ += '"';
    text_ += name;
    text_ += suffix;
    text_ += "\":";
  }
  first_in_group_ = false;
}

void ItemPrinter::raw_field(std::string_view field_name, std::string_view value) {
  name(field_name);
  text_ += value;
  hand_on_if_large();
}

void ItemPrinter::field(std::string_view field_name, std::string_view text) {
  name(field_name);
  const bool quotes = is_json() || !is_plain(text);
  if (quotes) text_ += '"';
  escaped(text);
  if (quotes) text_ += '"';
}

void ItemPrinter::payload(std::string_view field_name, ByteView bytes) {
  if (bytes.data() == nullptr) return raw_field(field_name, "null");
  const PayloadForm form =
      payload_ == PayloadForm::text && !is_utf8(bytes) ? PayloadForm::base64 : payload_;
  switch (form) {
    case PayloadForm::text:
      return field(field_name, as_text(bytes));
    case PayloadForm::base64:
      name(field_name, "_base64");
      break;
    case PayloadForm::hex:
      name(field_name, "_hex");
      break;
  }
  encoded(bytes, form);
}

void ItemPrinter::encoded(ByteView bytes, PayloadForm form) {
  text_ += '"';
  while (!bytes.empty()) {
    const ByteView piece = bytes.first(std::min(bytes.size(), encoded_piece_bytes));
    if (form == PayloadForm::hex) {
      append_hex(text_, piece);
    } else {
      append_base64(text_, piece);
    }
    bytes = bytes.subspan(piece.size());
    hand_on_if_large();
  }
  text_ += '"';
}

void ItemPrinter::escaped(std::string_view text) {
  while (!text.empty()) {
    std::size_t piece = std::min(text.size(), encoded_piece_bytes);
    // A character is not cut in two: at most three bytes of it go with the next piece.
    for (int back = 0; back < 3 && piece < text.size() && piece > 1; ++back) {
      if ((static_cast<std::uint8_t>(text[piece]) & 0xc0) != 0x80) break;
      --piece;
    }
    append_json_escaped(text_, text.substr(0, piece));
    text.remove_prefix(piece);
    hand_on_if_large();
  }
}

void ItemPrinter::open_list(std::string_view list_name) {
  name(list_name);
  text_ += '[';
  first_in_list_ = true;
  in_list_ = true;
}

void ItemPrinter::open_group() {
  if (!first_in_list_) text_ += is_json() ? "," : ", ";
  first_in_list_ = false;
  if (is_json()) text_ += '{';
  first_in_group_ = true;
}

void ItemPrinter::close_group() {
  if (is_json()) text_ += '}';
}

void ItemPrinter::close_list() {
  text_ += ']';
  first_in_group_ = false;
  in_list_ = false;
}

void ItemPrinter::hand_on_if_large() {
  if (text_.size() >= printer_block_bytes) hand_on();
}

void ItemPrinter::hand_on() {
  if (wanted_ && !text_.empty()) wanted_ = sink_.write(text_);
  text_.clear();
}

bool ItemPrinter::finish() {
  if (format_ == DumpFormat::json_document) text_ += any_item_ ? "\n]\n" : "[]\n";
  hand_on();
  return wanted_;
}

}  // namespace millrace::storage
