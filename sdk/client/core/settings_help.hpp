// Settings and their problems, for the tests of settings.
#pragma once

#include <string>
#include <string_view>
#include <utility>

import millrace.client.core;

namespace millrace::client {

inline Properties with(Properties more) {
  more.emplace_back("bootstrap.servers", "localhost:9092");
  return more;
}
inline std::string problems_of(const auto& result) {
  std::string all;
  if (result) return all;
  for (const std::string& problem : result.error()) all += problem + "\n";
  return all;
}
inline std::string producer_problems(Properties more) {
  return problems_of(producer_settings(with(std::move(more))));
}
inline std::string consumer_problems(Properties more) {
  return problems_of(consumer_settings(with(std::move(more))));
}
inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace millrace::client
