// A client's request of one of the group APIs, and its answer, in the version that the client
// speaks.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.ipc.coordination.requests:group_call;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;

export namespace millrace::coordination {

// Of OffsetCommit and OffsetFetch: from here on topics have ids and no names.
inline constexpr std::int16_t first_version_with_topic_ids = 10;

// Which topics there are. Belongs to whoever asks; answers for as long as it lives.
class TopicLookup {
 public:
  virtual ~TopicLookup() = default;
  [[nodiscard]] virtual std::optional<KnownTopic> find(std::string_view name) const = 0;
  [[nodiscard]] virtual std::optional<KnownTopic> find(const Uuid& id) const = 0;

 protected:
  TopicLookup() = default;
  TopicLookup(const TopicLookup&) = default;
  TopicLookup& operator=(const TopicLookup&) = default;
};

// The topics that came with a request, which do not change while they are looked up. Sorted when
// that is first needed: a request may name each of a hundred thousand.
class ListedTopics final : public TopicLookup {
 public:
  explicit ListedTopics(const std::vector<KnownTopic>& topics) : topics_(topics) {}
  [[nodiscard]] std::optional<KnownTopic> find(std::string_view name) const override;
  [[nodiscard]] std::optional<KnownTopic> find(const Uuid& id) const override;

 private:
  const std::vector<KnownTopic>& topics_;
  mutable std::vector<const KnownTopic*> by_name_;
  mutable std::vector<const KnownTopic*> by_id_;
};

// What one group is asked. The group is empty where all groups are asked.
struct Question {
  std::string group;
  groups::Request request;
};

struct Asker {
  std::string client_id;
  std::string client_host;
};

// One request: decoded, checked against the topics that there are, and taken apart; then put
// together again from the replies. A value. Takes memory in proportion to the request.
class GroupCall {
 public:
  // Whether the API is one of those that are passed to coordinators.
  [[nodiscard]] static bool knows(protocol::ApiKey api);
  // Fails for a body that cannot be read: its connection is to be closed.
  [[nodiscard]] static Result<GroupCall> decode(protocol::ApiKey api, std::int16_t version,
                                                ByteView body, const Asker& asker,
                                                const TopicLookup& topics);

  // In the order in which answer() wants the replies. May be none.
  [[nodiscard]] const std::vector<Question>& questions() const { return questions_; }
  [[nodiscard]] std::vector<Question> take_questions() { return std::move(questions_); }
  [[nodiscard]] bool asks_all_groups() const { return api_ == protocol::ApiKey::list_groups; }

  // Whether the answer may need the id of any topic.
  [[nodiscard]] bool wants_all_topics() const;

  // The body of the answer; one reply for each question. Fails where the answer cannot be written.
  [[nodiscard]] Result<OwnedBytes> answer(const std::vector<groups::Reply>& replies,
                                          const TopicLookup& topics) const;
  // The same where all questions went wrong in the same way.
  [[nodiscard]] Result<OwnedBytes> refuse(protocol::ErrorCode error) const;

 private:
  friend struct CallReader;
  friend struct CallWriter;
  // What a fetch of one group wanted, in the order of the request; what has an error here was not
  // asked about.
  struct Wanted {
    std::string group;
    ErrorCode error = ErrorCode::none;  // then nothing was asked
    bool all = false;
    std::vector<groups::TopicErrors> topics;
  };

  GroupCall(protocol::ApiKey api, std::int16_t version) : api_(api), version_(version) {}

  protocol::ApiKey api_;
  std::int16_t version_;
  std::vector<Question> questions_;
  std::vector<std::size_t> kinds_;  // of each question, as places in groups::Request
  // Of the groups, where the answer repeats them. What is after the questions was not asked.
  std::vector<std::string> names_;
  // Of commits and deletes, as those of Wanted.
  std::vector<groups::TopicErrors> topics_;
  std::vector<Wanted> wanted_;
  std::optional<groups::Reply> settled_;  // without asking
  bool wants_operations_ = false;
};

}  // namespace millrace::coordination
