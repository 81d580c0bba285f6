// Also proves sink.cppm.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "test_support.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

void print_items(ItemPrinter& printer) {
  printer.begin("first");
  printer.field("number", std::int64_t{-5});
  printer.field("flag", true);
  printer.field("offset", Offset(7));
  printer.field("word", "plain-word");
  printer.field("phrase", "two words");
  printer.payload("none", ByteView());
  printer.payload("empty", as_bytes(""));
  printer.open_list("list");
  for (const std::string_view key : {"a", "b"}) {
    printer.open_group();
    printer.payload("key", as_bytes(key));
    printer.payload("value", as_bytes("\xff"));
    printer.close_group();
  }
  printer.close_list();
  printer.raw_field("raw", R"({"x":1})");
  printer.end();
  printer.begin("second", 1);
  printer.end();
}

std::string printed(DumpFormat format, PayloadForm payload = PayloadForm::text) {
  TextSink sink;
  ItemPrinter printer(sink, format, payload);
  print_items(printer);
  EXPECT_TRUE(printer.finish());
  return sink.text;
}

TEST(ItemPrinter, writes_lines_of_text) {
  EXPECT_EQ(printed(DumpFormat::text),
            "first number=-5 flag=true offset=7 word=plain-word phrase=\"two words\" none=null "
            "empty=\"\" list=[key=a value_base64=\"/w==\", key=b value_base64=\"/w==\"] "
            "raw={\"x\":1}\n  second\n");
}

TEST(ItemPrinter, writes_lines_apart_by_tabs) {
  EXPECT_EQ(printed(DumpFormat::tsv),
            "first\tnumber=-5\tflag=true\toffset=7\tword=plain-word\tphrase=\"two words\"\t"
            "none=null\tempty=\"\"\tlist=[key=a value_base64=\"/w==\", key=b "
            "value_base64=\"/w==\"]\traw={\"x\":1}\nsecond\n");
}

TEST(ItemPrinter, writes_an_object_a_line) {
  EXPECT_EQ(printed(DumpFormat::json_lines),
            R"({"type":"first","number":-5,"flag":true,"offset":7,"word":"plain-word",)"
            R"("phrase":"two words","none":null,"empty":"",)"
            R"("list":[{"key":"a","value_base64":"/w=="},{"key":"b","value_base64":"/w=="}],)"
            R"("raw":{"x":1}})"
            "\n{\"type\":\"second\"}\n");
}

TEST(ItemPrinter, writes_one_document) {
  const std::string document = printed(DumpFormat::json_document);
  EXPECT_TRUE(document.starts_with("[\n{\"type\":\"first\""));
  EXPECT_TRUE(document.ends_with("},\n{\"type\":\"second\"}\n]\n")) << document;
  TextSink sink;
  ItemPrinter empty(sink, DumpFormat::json_document);
  EXPECT_TRUE(empty.finish());
  EXPECT_EQ(sink.text, "[]\n");
}

TEST(ItemPrinter, names_the_encoding_of_payloads) {
  EXPECT_NE(printed(DumpFormat::json_lines, PayloadForm::hex).find(R"("value_hex":"ff")"),
            std::string::npos);
  EXPECT_NE(printed(DumpFormat::text, PayloadForm::base64).find("key_base64=\"YQ==\""),
            std::string::npos);
}

TEST(ItemPrinter, hands_on_large_payloads_in_pieces) {
  for (const PayloadForm form : {PayloadForm::text, PayloadForm::base64, PayloadForm::hex}) {
    TextSink sink;
    ItemPrinter printer(sink, DumpFormat::json_lines, form);
    std::string text;
    while (text.size() < 5'000'000) text += "a\u00fc\U0001f600\"";
    printer.begin("record");
    printer.payload("value", as_bytes(text));
    printer.end();
    EXPECT_TRUE(printer.finish());
    EXPECT_LT(sink.largest, 3 * printer_block_bytes);
    std::string expected;
    if (form == PayloadForm::text) append_json_escaped(expected, text);
    if (form == PayloadForm::base64) append_base64(expected, as_bytes(text));
    if (form == PayloadForm::hex) append_hex(expected, as_bytes(text));
    EXPECT_TRUE(sink.text.ends_with(":\"" + expected + "\"}\n"));
  }
}

TEST(ItemPrinter, writes_nothing_more_when_the_sink_has_had_enough) {
  TextSink sink;
  sink.refused_piece = 1;
  ItemPrinter printer(sink, DumpFormat::text);
  const std::string text(2 * printer_block_bytes, 'x');
  printer.begin("item");
  printer.payload("value", as_bytes(text));
  EXPECT_FALSE(printer.wanted());
  printer.end();
  EXPECT_FALSE(printer.finish());
  EXPECT_EQ(sink.pieces, 1u);
}

}  // namespace
}  // namespace millrace::storage
