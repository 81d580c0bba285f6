module;
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

// What somebody has written by hand is far below.
constexpr std::size_t file_bytes_max = std::size_t{16} * 1024 * 1024;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

Failure file_failure(const std::string& path, int problem) {
  return {.code = "PROFILE_FILE", .message = joined(path, ": ", std::strerror(problem))};
}

// Writes all of it, through to the disk.
bool write_whole(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file) == 0;
}

// All of it; gives the error's number, 0 if there was none.
int read_whole(int file, std::string& text) {
  std::array<char, 4096> block = {};
  while (true) {
    const ssize_t count = ::read(file, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return 0;
    text.append(block.data(), static_cast<std::size_t>(count));
    if (text.size() > file_bytes_max) return EFBIG;
  }
}

}  // namespace

std::variant<Profiles, Failure> parse_profiles(std::string_view text) {
  Profiles profiles;
  Settings* within = nullptr;
  std::size_t number = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with('[') && line.ends_with(']')) {
      within = &profiles.profiles[std::string(trimmed(line.substr(1, line.size() - 2)))];
      continue;
    }
    const std::size_t equals = line.find('=');
    const auto name = trimmed(line.substr(0, equals));
    const bool is_setting = equals != std::string_view::npos && !name.empty();
    if (!is_setting || (within == nullptr && name != "current"))
      return Failure{.code = "PROFILE_FILE",
                     .message = joined("line ", number, " of the profiles is wrong: ", line),
                     .hint = "there are [NAME], NAME = VALUE, and above all current = NAME"};
    const auto value = trimmed(line.substr(equals + 1));
    if (within == nullptr)
      profiles.current = value;
    else
      within->emplace_back(name, value);
  }
  return profiles;
}

std::string text_of(const Profiles& profiles) {
  std::string text;
  if (!profiles.current.empty()) text = joined("current = ", profiles.current, "\n");
  for (const auto& [name, settings] : profiles.profiles) {
    text += joined(text.empty() ? "" : "\n", "[", name, "]\n");
    for (const auto& [setting, value] : settings) text += joined(setting, " = ", value, "\n");
  }
  return text;
}

std::string profiles_path() {
  // What is relative there is ignored, as the specification of these folders says.
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/')
    return joined(folder, "/millrace/config");
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    return joined(home, "/.config/millrace/config");
  return {};
}

std::variant<Profiles, Failure> read_profiles(const std::string& path) {
  const int file = path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const int problem = errno;
    if (path.empty() || problem == ENOENT || problem == ENOTDIR) return Profiles();
    return file_failure(path, problem);
  }
  std::string text;
  const int problem = read_whole(file, text);
  ::close(file);
  if (problem != 0) return file_failure(path, problem);
  return parse_profiles(text);
}

std::optional<Failure> write_profiles(const std::string& path, const Profiles& profiles) {
  if (path.empty())
    return Failure{.code = "PROFILE_FILE", .message = "there is no home directory for profiles"};
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  if (code) return file_failure(path, code.value());
  std::string temporary = path + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());  // for the user alone
  if (file < 0) return file_failure(path, errno);
  int problem = write_whole(file, text_of(profiles)) ? 0 : errno;
  ::close(file);
  if (problem == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) problem = errno;
  if (problem == 0) return std::nullopt;
  ::unlink(temporary.c_str());
  return file_failure(path, problem);
}

bool is_shared_setting(std::string_view name) {
  constexpr std::array names = {
      std::string_view("bootstrap.servers"),       std::string_view("client.id"),
      std::string_view("client.dns.lookup"),       std::string_view("request.timeout.ms"),
      std::string_view("connections.max.idle.ms"), std::string_view("metadata.max.age.ms"),
  };
  constexpr std::array prefixes = {
      std::string_view("security."),      std::string_view("sasl."),
      std::string_view("ssl."),           std::string_view("socket."),
      std::string_view("retry.backoff."), std::string_view("reconnect."),
  };
  return std::ranges::find(names, name) != names.end() ||
         std::ranges::any_of(prefixes, [&](auto prefix) { return name.starts_with(prefix); });
}

bool is_secret_setting(std::string_view name) {
  const std::string plain = lower(name);
  // `ssl.keystore.certificate.chain` and `ssl.truststore.certificates` are of the type password in
  // Kafka; ".pem" is what librdkafka has: `ssl.key.pem`.
  constexpr std::array parts = {std::string_view("password"),
                                std::string_view("passphrase"),
                                std::string_view("secret"),
                                std::string_view("jaas"),
                                std::string_view("token"),
                                std::string_view("credential"),
                                std::string_view("keystore.key"),
                                std::string_view("private.key"),
                                std::string_view("privatekey"),
                                std::string_view("certificate.chain"),
                                std::string_view("store.certificates"),
                                std::string_view(".pem"),
                                std::string_view("api.key"),
                                std::string_view("access.key")};
  return std::ranges::any_of(
      parts, [&](std::string_view part) { return plain.find(part) != std::string::npos; });
}

}  // namespace millrace::cli
