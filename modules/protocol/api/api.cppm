// millrace.protocol.api: which APIs there are, their versions and header versions, and Kafka's
// error codes. The tables come from the schema files; all functions here are lookups in constant
// data.
module;
#include <cstdint>
#include <string_view>

export module millrace.protocol.api;

export import :error_codes;
export import :keys;

export namespace millrace::protocol {

// Clients of librdkafka choose codecs by the lowest Produce version they see advertised, so 0 is
// advertised; versions below the table's are refused all the same.
inline constexpr std::int16_t produce_advertised_version_min = 0;

// Null where Kafka has no such API, or where it is not for clients (controllers talk another
// protocol).
[[nodiscard]] const ApiInfo* find_api(std::int16_t key);
[[nodiscard]] const ApiInfo& api_info(ApiKey key);

[[nodiscard]] inline std::string_view name_of(ApiKey key) {
  return api_info(key).name;
}
[[nodiscard]] inline bool supports(const ApiInfo& api, std::int16_t version) {
  return version >= api.version_min && version <= api.version_max;
}
// The highest version to advertise: a last version marked unstable is spoken but not offered.
[[nodiscard]] inline std::int16_t advertised_version_max(const ApiInfo& api) {
  return static_cast<std::int16_t>(api.version_max - (api.latest_unstable ? 1 : 0));
}

// Version 2 has tagged fields, version 1 has not.
[[nodiscard]] inline std::int16_t request_header_version(const ApiInfo& api, std::int16_t version) {
  return version >= api.flexible_min ? 2 : 1;
}
// Version 1 has tagged fields. ApiVersions never has them, so that a client of any age can read it.
[[nodiscard]] inline std::int16_t response_header_version(const ApiInfo& api,
                                                          std::int16_t version) {
  return api.key != ApiKey::api_versions && version >= api.flexible_min ? 1 : 0;
}

// The name as Kafka writes it: NOT_LEADER_OR_FOLLOWER.
[[nodiscard]] std::string_view name_of(ErrorCode code);
// Whether a client may send the same request again.
[[nodiscard]] bool is_retriable(ErrorCode code);
// A code from the wire; one that this version does not know becomes unknown_server_error.
[[nodiscard]] ErrorCode error_code_from(std::int16_t number);

}  // namespace millrace::protocol
