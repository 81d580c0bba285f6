// The elements of lists that hold addresses and pairs.
module;
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

// Letters and digits of ASCII, and `others`.
bool has_only(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<HostPort, std::string> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    return failure(std::string("an address must end in a port, 0 to 65535"));
  }
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  if (!has_only(host, ".-_%:"))
    return failure(std::string("a host has a character that no address has"));
  if (!is_bracketed && host.find(':') != std::string_view::npos) {
    return failure(std::string("an IPv6 address must stand in brackets"));
  }
  return HostPort{.host = std::string(host), .port = port};
}

Result<ListenerAddress, std::string> parse_listener(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) {
    return failure(std::string("each element must be NAME://host:port"));
  }
  const std::string_view name = text.substr(0, end);
  if (!has_only(name, "_-")) {
    return failure(std::string("a listener's name has letters, digits, '-' and '_' only"));
  }
  auto address = parse_host_port(text.substr(end + 3));
  if (!address) return failure(address.error());
  return ListenerAddress{.listener = upper_case(name), .address = std::move(*address)};
}

Result<HostPort, std::string> parse_peer(std::string_view text) {
  auto address = parse_host_port(text);
  if (address && (address->host.empty() || address->port == 0)) {
    return failure(std::string("each element needs a host and a port other than 0"));
  }
  return address;
}

Result<Voter, std::string> parse_voter(std::string_view text) {
  const std::size_t at = text.find('@');
  std::int32_t id = -1;
  const char* const end = text.data() + std::min(at, text.size());
  const auto [stopped, error] = std::from_chars(text.data(), end, id);
  if (at == std::string_view::npos || error != std::errc{} || stopped != end || id < 0) {
    return failure(std::string("each element must be id@host:port"));
  }
  auto address = parse_peer(text.substr(at + 1));
  if (!address) return failure(address.error());
  return Voter{.id = BrokerId(id), .address = std::move(*address)};
}

Result<NameValue, std::string> parse_pair(std::string_view text) {
  // The value has no colon; the name may, for it can be an IPv6 address.
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return failure(std::string("each element must be name:value"));
  }
  return NameValue{.name = std::string(trim(text.substr(0, colon))),
                   .value = std::string(trim(text.substr(colon + 1)))};
}

}  // namespace millrace::config
