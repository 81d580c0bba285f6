// How a received record is printed.
module;
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "millrace/records.hpp"

export module millrace.cli.records:record_format;

import millrace.cli.frame;
import millrace.cli.session;

export namespace millrace::cli {

// "%p@%o %T %k=%v\n": t topic, p partition, o offset, T time, k key, v value, h headers, s bytes of
// the value, %% a percent sign; \n, \t, \r, \0, \\ and \xHH as in C.
class RecordFormat {
 public:
  [[nodiscard]] static std::variant<RecordFormat, Failure> parse(std::string_view text);
  void append(std::string& into, const v1::OwnedRecord& record) const;

 private:
  struct Piece {
    char code = 0;  // 0: the text
    std::string text = {};
  };
  std::vector<Piece> pieces_;
};

// An object on one line. Keys and values that are no text are base64 under key_base64 and
// value_base64.
[[nodiscard]] std::string json_line_of(const v1::OwnedRecord& record);
[[nodiscard]] std::string tsv_line_of(const v1::OwnedRecord& record);
inline constexpr std::string_view tsv_heading = "topic\tpartition\toffset\ttimestamp\tkey\tvalue\n";

}  // namespace millrace::cli
