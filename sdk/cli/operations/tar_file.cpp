module;
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.cli.operations;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

constexpr std::size_t block_bytes = 512;
constexpr std::size_t name_bytes_max = 100;
constexpr std::size_t page_bytes_max = std::size_t{32} * 1024 * 1024;
constexpr int page_seconds_max = 10;  // without a byte

using Header = std::array<char, block_bytes>;

void put_text(Header& header, std::size_t place, std::string_view text) {
  std::ranges::copy(text, header.begin() + static_cast<std::ptrdiff_t>(place));
}

// Octal digits, and a zero byte where there is room for one more.
void put_number(Header& header, std::size_t place, int digits, std::int64_t number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%0*llo", digits,
                static_cast<unsigned long long>(number));
  put_text(header, place, std::string_view(text.data(), static_cast<std::size_t>(digits)));
}

// "LENGTH NAME=VALUE" and a line feed; the length counts its own digits.
std::string pax_record(std::string_view name, std::string_view value) {
  const std::string rest = joined(" ", name, "=", value, "\n");
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return joined(length, rest);
}

bool write_whole(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file) == 0;
}

// Connected, with limits on how long it may say nothing; -1 where nobody listens.
int connection_to(const std::string& host, const std::string& port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0) return -1;
  int connected = -1;
  for (const addrinfo* address = found; address != nullptr && connected < 0;
       address = address->ai_next) {
    const int socket =
        ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (socket < 0) continue;
    const timeval limit{.tv_sec = page_seconds_max, .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket, address->ai_addr, address->ai_addrlen) == 0)
      connected = socket;
    else
      ::close(socket);
  }
  ::freeaddrinfo(found);
  return connected;
}

std::string read_answer(int connection) {
  std::string answer;
  std::array<char, 16384> part{};
  while (answer.size() < page_bytes_max) {
    const ssize_t count = ::recv(connection, part.data(), part.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    answer.append(part.data(), static_cast<std::size_t>(count));
  }
  return answer;
}

}  // namespace

void TarFile::add(std::string_view name, std::string_view contents) {
  if (name.size() > name_bytes_max) add_entry('x', "name", pax_record("path", name));
  add_entry('0', name.substr(0, name_bytes_max), contents);
}

void TarFile::add_entry(char type, std::string_view name, std::string_view contents) {
  Header header{};
  put_text(header, 0, name);
  put_number(header, 100, 7, 0600);
  put_number(header, 108, 7, 0);
  put_number(header, 116, 7, 0);
  put_number(header, 124, 11, static_cast<std::int64_t>(contents.size()));
  put_number(header, 136, 11, time_);
  put_text(header, 148, "        ");  // the checksum counts as blanks in itself
  header[156] = type;
  put_text(header, 257, std::string_view("ustar\00000", 8));
  std::int64_t sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  put_number(header, 148, 6, sum);
  header[154] = '\0';
  bytes_.append(header.data(), header.size());
  bytes_ += contents;
  bytes_.append((block_bytes - contents.size() % block_bytes) % block_bytes, '\0');
}

std::string TarFile::finish() && {
  bytes_.append(2 * block_bytes, '\0');
  return std::move(bytes_);
}

std::optional<Failure> write_private_file(const std::string& path, std::string_view contents) {
  std::string temporary = path + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());
  int problem = file < 0 ? errno : 0;
  if (problem == 0) {
    if (!write_whole(file, contents)) problem = errno;
    ::close(file);
    if (problem == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) problem = errno;
    if (problem != 0) ::unlink(temporary.c_str());
  }
  if (problem == 0) return std::nullopt;
  return Failure{.code = "OUTPUT", .message = joined(path, ": ", std::strerror(problem))};
}

std::string metrics_page_of(const std::string& address, bool& is_good) {
  is_good = false;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return joined("# ", address, " is not HOST:PORT\n");
  const int connection = connection_to(address.substr(0, colon), address.substr(colon + 1));
  if (connection < 0) return joined("# nobody answers at ", address, "\n");
  const std::string request =
      joined("GET /metrics HTTP/1.0\r\nHost: ", address, "\r\nConnection: close\r\n\r\n");
  std::string answer;
  if (::send(connection, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size()))
    answer = read_answer(connection);
  ::close(connection);
  const std::size_t body = answer.find("\r\n\r\n");
  is_good =
      answer.starts_with("HTTP/1.") && answer.substr(9, 3) == "200" && body != std::string::npos;
  if (!is_good) return joined("# ", address, " gave no metrics\n");
  return answer.substr(body + 4);
}

}  // namespace millrace::cli
