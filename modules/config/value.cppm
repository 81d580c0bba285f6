// Values of properties: from text to a checked value of the definition's type.
module;
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

export module millrace.config:value;

import millrace.base;
import :definition;

export namespace millrace::config {

using ByteCount = Strong<struct ByteCountTag, std::int64_t>;

// A secret. It has no operator to print it: whoever needs the text asks for it by name.
class Password {
 public:
  explicit Password(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  friend bool operator==(const Password&, const Password&) = default;

 private:
  std::string text_;
};

struct HostPort {
  // Empty where a listener is meant for all addresses; IPv6 addresses have no brackets here.
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct ListenerAddress {
  // In capitals, as Kafka compares listener names.
  std::string listener;
  HostPort address;
  friend bool operator==(const ListenerAddress&, const ListenerAddress&) = default;
};

struct Voter {
  BrokerId id;
  HostPort address;
  friend bool operator==(const Voter&, const Voter&) = default;
};

struct NameValue {
  std::string name;
  std::string value;
  friend bool operator==(const NameValue&, const NameValue&) = default;
};

// Positions among the choices of the definition, in the order given.
using ChoiceIndexes = std::vector<std::uint8_t>;

// monostate: not set. Every whole number, whatever its width and unit, and the position of a single
// choice is an int64: the typed access of TypedConfig gives it its meaning back.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Password,
                           std::vector<std::string>, ChoiceIndexes, std::vector<ListenerAddress>,
                           std::vector<HostPort>, std::vector<Voter>, std::vector<NameValue>>;

// Spaces around the text do not count, as in Kafka. The error is the end of a sentence that begins
// with the property and what was given ("must be a whole number, 1 to 9"); it never repeats the
// text.
[[nodiscard]] Result<Value, std::string> parse_value(const Definition& definition,
                                                     std::string_view text);

// "host:port" and "[::1]:port"; an empty host is for the caller to judge.
[[nodiscard]] Result<HostPort, std::string> parse_host_port(std::string_view text);

// One element of a list of Meaning::listeners, host_ports, voters and pairs.
[[nodiscard]] Result<ListenerAddress, std::string> parse_listener(std::string_view text);
[[nodiscard]] Result<HostPort, std::string> parse_peer(std::string_view text);
[[nodiscard]] Result<Voter, std::string> parse_voter(std::string_view text);
[[nodiscard]] Result<NameValue, std::string> parse_pair(std::string_view text);

// Spaces, tabs and line breaks off both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

// Elements of a comma-separated list without the spaces around them; none for an empty text.
[[nodiscard]] std::vector<std::string_view> split_list(std::string_view text);

[[nodiscard]] std::string upper_case(std::string_view text);
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace millrace::config
