module;
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

module millrace.base;

namespace millrace {

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return "invalid argument";
    case ErrorKind::not_found:
      return "not found";
    case ErrorKind::already_exists:
      return "already exists";
    case ErrorKind::corrupt:
      return "corrupt";
    case ErrorKind::limit_exceeded:
      return "limit exceeded";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::io:
      return "input/output error";
    case ErrorKind::cancelled:
      return "cancelled";
  }
  return "unknown";
}

void invariant_broken(std::string_view what, std::source_location where) {
  std::fprintf(stderr, "%s:%u: invariant broken: %.*s\n", where.file_name(), where.line(),
               static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace millrace
