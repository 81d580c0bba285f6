// The real files and environment.
module;
#include <fmt/format.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

auto too_large(const std::string& path, std::size_t bytes_max) {
  return failure(ErrorKind::limit_exceeded,
                 fmt::format("{} is larger than {} bytes", printable(path), bytes_max));
}

}  // namespace

Result<std::string> ProcessSurroundings::read_file(const std::string& path, std::size_t bytes_max) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::io;
    return failure(kind, fmt::format("cannot open {}: {}", printable(path), std::strerror(errno)));
  }
  // Pipes have no size to ask for: `--config <(decrypt file)` is a pipe.
  std::string text;
  constexpr std::size_t step = 64 * kibibyte;
  while (true) {
    const std::size_t had = text.size();
    text.resize(had + step);
    const std::size_t count = std::fread(text.data() + had, 1, step, file.get());
    text.resize(had + count);
    if (text.size() > bytes_max) return too_large(path, bytes_max);
    if (count < step) break;
  }
  if (std::ferror(file.get()) != 0) {
    return failure(ErrorKind::io,
                   fmt::format("cannot read {}: {}", printable(path), std::strerror(errno)));
  }
  return text;
}

Result<std::string> MemorySurroundings::read_file(const std::string& path, std::size_t bytes_max) {
  const auto file = files.find(path);
  if (file == files.end()) {
    return failure(ErrorKind::not_found,
                   fmt::format("cannot open {}: no such file", printable(path)));
  }
  if (file->second.size() > bytes_max) return too_large(path, bytes_max);
  return file->second;
}

std::optional<std::string> MemorySurroundings::variable(const std::string& name) {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> ProcessSurroundings::variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace millrace::config
