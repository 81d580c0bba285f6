module;
#include <string>
#include <string_view>

module millrace.runtime;

namespace millrace {

std::string_view name_of(IoFault fault) {
  switch (fault) {
    case IoFault::not_found:
      return "not found";
    case IoFault::already_exists:
      return "exists already";
    case IoFault::no_space:
      return "no space left";
    case IoFault::failed:
      return "input/output error";
    case IoFault::denied:
      return "not permitted";
    case IoFault::too_many_open:
      return "too many open files";
    case IoFault::locked:
      return "locked by another process";
    case IoFault::not_empty:
      return "directory not empty";
    case IoFault::invalid:
      return "invalid use";
  }
  return "unknown fault";
}

std::string describe(const IoError& error, std::string_view path) {
  std::string text = std::string(error.operation) + ' ' + std::string(path) + ": ";
  text += name_of(error.fault);
  if (error.number != 0) text += " (errno " + std::to_string(error.number) + ')';
  return text;
}

}  // namespace millrace
