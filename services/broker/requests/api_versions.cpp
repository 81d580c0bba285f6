module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.broker.requests;

import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using protocol::ApiVersionsResponse;
using protocol::Arena;
using protocol::Array;
using protocol::ErrorCode;
using Range = ApiVersionsResponse::ApiVersion;

// From this version on a client tells what it is.
constexpr std::int16_t software_from = 3;
// Below this version a client does not understand features that may be off.
constexpr std::int16_t level_zero_from = 4;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What Kafka takes as the name and the version of a client's software.
bool is_software_word(std::string_view word) {
  return !word.empty() && is_letter_or_digit(word.front()) && is_letter_or_digit(word.back()) &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; });
}

Range range_of(const ApiRule& rule) {
  return {.api_key = static_cast<std::int16_t>(rule.key),
          .min_version = rule.version_min,
          .max_version = rule.version_max};
}

template <class T>
Array<T> keep(const std::vector<T>& items, Arena& arena) {
  if (items.empty()) return {};
  T* const kept = arena.make_array<T>(items.size());
  std::copy(items.begin(), items.end(), kept);
  return {kept, static_cast<std::int32_t>(items.size())};
}

Array<Range> ranges_of(std::span<const ApiRule> rules, Arena& arena) {
  std::vector<Range> ranges;
  for (const ApiRule& rule : rules) ranges.push_back(range_of(rule));
  return keep(ranges, arena);
}

constexpr std::string_view metadata_feature = "metadata.version";

// What a cluster at a version of our metadata is for clients: the version of Apache Kafka whose
// requests it answers, 4.3-IV0, by Kafka's number.
constexpr std::int16_t kafka_level_of(std::int16_t metadata_version) {
  return metadata_version < metadata::metadata_version_min ? 0 : 30;
}
static_assert(metadata::metadata_version_min == metadata::metadata_version_latest,
              "another version of the metadata has a level of its own");

// 0: the cluster has not turned it on.
std::int16_t level_of(std::string_view feature, const metadata::Image& image) {
  if (feature == metadata_feature) return kafka_level_of(image.metadata_version());
  const std::int16_t* const level = image.features().find(std::string(feature));
  return level == nullptr ? std::int16_t{0} : *level;
}

}  // namespace

std::span<const Feature> features_that_work() {
  static constexpr std::array<Feature, 1> features = {
      Feature{.name = metadata_feature,
              .level_min = kafka_level_of(metadata::metadata_version_min),
              .level_max = kafka_level_of(metadata::metadata_version_latest)}};
  return features;
}

ApiVersionsResponse answer_api_versions(const protocol::ApiVersionsRequest& request,
                                        std::int16_t version, bool version_supported,
                                        std::span<const Feature> features,
                                        const metadata::Image& image, Arena& arena) {
  ApiVersionsResponse message;
  if (!version_supported) {
    message.error_code = static_cast<std::int16_t>(ErrorCode::unsupported_version);
    message.api_keys = ranges_of(std::span(find_rule(ApiKey::api_versions), 1), arena);
    return message;
  }
  const bool tells_software = version >= software_from;
  if (tells_software && !(is_software_word(request.client_software_name) &&
                          is_software_word(request.client_software_version))) {
    message.error_code = static_cast<std::int16_t>(ErrorCode::invalid_request);
    return message;
  }
  message.api_keys = ranges_of(api_rules(), arena);
  std::vector<ApiVersionsResponse::SupportedFeatureKey> supported;
  std::vector<ApiVersionsResponse::FinalizedFeatureKey> finalized;
  for (const Feature& feature : features) {
    if (feature.level_min > 0 || version >= level_zero_from) {
      supported.push_back({.name = feature.name,
                           .min_version = feature.level_min,
                           .max_version = feature.level_max});
    }
    const std::int16_t level = level_of(feature.name, image);
    if (level <= 0) continue;
    finalized.push_back(
        {.name = feature.name, .max_version_level = level, .min_version_level = level});
  }
  message.supported_features = keep(supported, arena);
  message.finalized_features = keep(finalized, arena);
  // Clients take an update only with a higher epoch, and the offset goes up with each change.
  message.finalized_features_epoch = image.offset().value();
  return message;
}

}  // namespace millrace::broker
