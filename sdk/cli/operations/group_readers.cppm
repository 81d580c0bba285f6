// What there is to say of a group, of consumers or of another kind.
module;
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/records.hpp"

module millrace.cli.operations:group_readers;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {

struct GroupReader {
  std::string name;
  std::vector<v1::TopicPartition> partitions;
};
// Where it reads on in a partition.
struct GroupPlace {
  std::int64_t offset = 0;
  std::optional<std::int64_t> lag = {};  // where brokers count it: of share groups
};
struct DescribedReaders {
  std::string state;
  std::string assignor = {};  // empty: its brokers do not tell one
  std::int32_t coordinator = -1;
  std::vector<GroupReader> readers = {};
  std::map<v1::TopicPartition, GroupPlace> places = {};
};

// A group that does not exist fails, with the nearest that does; so do partitions of which nothing
// was told.
[[nodiscard]] std::optional<DescribedReaders> readers_of(ClientSession& session,
                                                         const std::string& group,
                                                         Failures& failures);
// What the group has committed; partitions that failed are failures.
[[nodiscard]] std::optional<v1::Offsets> committed_of(ClientSession& session,
                                                      const std::string& group, Failures& failures);

// Why a group of consumers is not known: it is of another kind, or not there; then with the nearest
// that is.
[[nodiscard]] Failure unknown_group(ClientSession& session, const std::string& group);
// Nothing where a group of that name could have consumers.
[[nodiscard]] std::optional<Failure> other_kind(ClientSession& session, const std::string& group);

}  // namespace millrace::cli
