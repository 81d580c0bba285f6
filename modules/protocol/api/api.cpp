module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

module millrace.protocol.api;

import millrace.base;

namespace millrace::protocol {

namespace {

constexpr std::int16_t api_key_max =
    static_cast<std::int16_t>(api_table[std::size(api_table) - 1].key);

// From an API key to its place in api_table, -1 where there is none.
constexpr auto api_places = [] {
  std::array<std::int8_t, api_key_max + 1> places{};
  places.fill(-1);
  std::int8_t place = 0;
  for (const ApiInfo& api : api_table) places[static_cast<std::size_t>(api.key)] = place++;
  return places;
}();

constexpr std::int16_t first_error = static_cast<std::int16_t>(error_code_table[0].code);

constexpr bool error_codes_are_consecutive() {
  std::int16_t expected = first_error;
  for (const ErrorCodeInfo& info : error_code_table) {
    if (static_cast<std::int16_t>(info.code) != expected++) return false;
  }
  return true;
}
static_assert(error_codes_are_consecutive(),
              "error codes are looked up by their place in the table");

const ErrorCodeInfo* find_error(std::int16_t number) {
  const int place = number - first_error;
  if (place < 0 || place >= static_cast<int>(std::size(error_code_table))) return nullptr;
  return &error_code_table[place];
}

}  // namespace

const ApiInfo* find_api(std::int16_t key) {
  if (key < 0 || key > api_key_max) return nullptr;
  const std::int8_t place = api_places[static_cast<std::size_t>(key)];
  return place < 0 ? nullptr : &api_table[place];
}

const ApiInfo& api_info(ApiKey key) {
  const ApiInfo* api = find_api(static_cast<std::int16_t>(key));
  check(api != nullptr, "an ApiKey is one of its enumerators");
  return *api;
}

std::string_view name_of(ErrorCode code) {
  const ErrorCodeInfo* info = find_error(static_cast<std::int16_t>(code));
  return info == nullptr ? "UNKNOWN_SERVER_ERROR" : info->name;
}

bool is_retriable(ErrorCode code) {
  const ErrorCodeInfo* info = find_error(static_cast<std::int16_t>(code));
  return info != nullptr && info->retriable;
}

ErrorCode error_code_from(std::int16_t number) {
  const ErrorCodeInfo* info = find_error(number);
  return info == nullptr ? ErrorCode::unknown_server_error : info->code;
}

}  // namespace millrace::protocol
