// Which names a topic may have.
module;
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

export module millrace.metadata.machine:topic_names;

import millrace.base;
import millrace.metadata;

export namespace millrace::metadata {

// Why a topic cannot have that name, as a sentence; none: it can.
[[nodiscard]] std::optional<std::string> problem_of_name(std::string_view name);

// Topics that hold the state of the cluster's own parts.
[[nodiscard]] bool is_internal_name(std::string_view name);

// Topics whose names differ only by '.' and '_': names of metrics cannot tell them apart, so there
// is only one of them.
class SimilarNames {
 public:
  void add(const std::string& name);
  void remove(const std::string& name);
  void clear() { names_.clear(); }
  // One that is there, is not `name`, and looks like it.
  [[nodiscard]] std::optional<std::string> similar(const std::string& name) const;

 private:
  // By the name with '_' for each '.'; those without either are not kept.
  std::map<std::string, std::set<std::string>, std::less<>> names_;
};

}  // namespace millrace::metadata
