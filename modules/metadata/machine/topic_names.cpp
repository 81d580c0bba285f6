module;
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

bool is_allowed(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-';
}

bool may_collide(std::string_view name) {
  return name.find_first_of("._") != std::string_view::npos;
}

std::string looks_of(std::string_view name) {
  std::string looks(name);
  std::ranges::replace(looks, '.', '_');
  return looks;
}

}  // namespace

std::optional<std::string> problem_of_name(std::string_view name) {
  if (name.empty()) return "a topic's name must not be empty";
  if (name == "." || name == "..") {
    return formatted("'{}' cannot be the name of a topic", name);
  }
  if (name.size() > topic_name_bytes_max) {
    return formatted("a topic's name has at most {} characters; this one has {}",
                     topic_name_bytes_max, name.size());
  }
  if (!std::ranges::all_of(name, is_allowed)) {
    return formatted(
        "'{}' cannot be the name of a topic: ASCII letters, digits, '.', '_' and '-' are allowed",
        config::printable(name));
  }
  return std::nullopt;
}

bool is_internal_name(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" ||
         name == "__share_group_state";
}

void SimilarNames::add(const std::string& name) {
  if (may_collide(name)) names_[looks_of(name)].insert(name);
}

void SimilarNames::remove(const std::string& name) {
  const auto found = names_.find(looks_of(name));
  if (found == names_.end()) return;
  found->second.erase(name);
  if (found->second.empty()) names_.erase(found);
}

std::optional<std::string> SimilarNames::similar(const std::string& name) const {
  if (!may_collide(name)) return std::nullopt;
  const auto found = names_.find(looks_of(name));
  if (found == names_.end()) return std::nullopt;
  for (const std::string& other : found->second) {
    if (other != name) return other;
  }
  return std::nullopt;
}

}  // namespace millrace::metadata
