module;
#include <fmt/args.h>
#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

module millrace.base;

namespace millrace {
namespace {

using Store = fmt::dynamic_format_arg_store<fmt::format_context>;

void append(Store& store, const FormatArgument& argument) {
  switch (argument.kind) {
    case FormatKind::boolean:
      store.push_back(argument.integer != 0);
      break;
    case FormatKind::character:
      store.push_back(static_cast<char>(argument.integer));
      break;
    case FormatKind::signed_integer:
      store.push_back(static_cast<std::int64_t>(argument.integer));
      break;
    case FormatKind::unsigned_integer:
      store.push_back(argument.integer);
      break;
    case FormatKind::floating_point:
      store.push_back(argument.floating_point);
      break;
    case FormatKind::text:
      store.push_back(argument.text());
      break;
  }
}

}  // namespace

std::string format_arguments(std::string_view format, std::span<const FormatArgument> arguments) {
  Store store;
  for (const FormatArgument& argument : arguments) append(store, argument);
  try {
    return fmt::vformat(format, store);
  } catch (const fmt::format_error& error) {
    return std::string(format) + " (" + error.what() + ")";
  }
}

}  // namespace millrace
