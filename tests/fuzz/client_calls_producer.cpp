// A producer of any kind: one outcome for each record, and the cluster has only what was sent.
#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "client_calls.hpp"

// The imports come after all that includes standard headers.
import millrace.client.producer;
import millrace.protocol.compression;

namespace millrace::fuzz {
namespace {

using namespace client;
using std::literals::chrono_literals::operator""s;

// Threads there are none: what is sent to the loop is posted.
class PostingMailbox final : public Mailbox {
 public:
  explicit PostingMailbox(Executor& executor) : executor_(executor) {}
  void send(Callback& callback) override { executor_.post(callback); }

 private:
  Executor& executor_;
};

struct Told {
  bool is_delivered = false;
  std::int32_t partition = 0;
  Offset offset = no_offset;
  Persistence persistence = Persistence::unknown;
};

class Sink final : public DeliverySink {
 public:
  void delivered(std::uint64_t token, const DeliveryReport& report) noexcept override {
    Told one{report.error == nullptr, report.partition.value(), report.offset, {}};
    if (report.error != nullptr) one.persistence = report.error->persistence;
    check(told.emplace(token, one).second, "a record has one outcome");
  }

  std::map<std::uint64_t, Told> told;
};

class Writing {
 public:
  explicit Writing(Input& input)
      : around_(input), mailbox_(around_.executor), choices_(input.byte()) {
    around_.damage.versions_too = is_chosen(7);
    ProducerSettings settings;
    around_.prepare(settings.common);
    settings.batch_size = 200;
    settings.batch_growth = is_chosen(0) ? 1 : 8;
    settings.linger = {};
    settings.delivery_timeout = 10s;
    settings.buffer_memory = 64 * kibibyte;
    settings.enable_idempotence = is_chosen(1) || is_chosen(2);
    if (is_chosen(2)) settings.transactional_id = "copy";
    if (!settings.enable_idempotence) settings.acks = is_chosen(3) ? Acks::none : Acks::leader;
    if (is_chosen(4)) settings.compression = protocol::CompressionOptions(protocol::Codec::lz4);
    is_idempotent_ = settings.enable_idempotence;
    client_.emplace(settings, around_.executor, mailbox_, around_.damaging, around_.resolver,
                    around_.log(), Random(around_.seed));
  }

  void go() {
    around_.run(use());
    around_.run(client_->close(around_.now() + (is_chosen(5) ? 30s : Duration{})));
    check(sink_.told.size() == sent_, "every record has its outcome");
    check(client_->metrics().memory_bytes == 0, "no memory is left with a batch");
    client_.reset();
    around_.executor.run_until_idle();
    for (std::int32_t partition = 0; partition < partition_count; ++partition) compare(partition);
  }

 private:
  static constexpr std::uint64_t round_size = 12;

  [[nodiscard]] bool is_chosen(unsigned bit) const { return ((choices_ >> bit) & 1U) != 0; }
  [[nodiscard]] MonotonicTime soon() const { return around_.now() + 5s; }
  Task<void> use() {
    static_cast<void>(co_await client_->load("orders", around_.now() + 20s));
    Transactor* transactor = client_->transactor();
    for (int round = 0; round < 3; ++round) {
      if (transactor != nullptr) {
        static_cast<void>(co_await transactor->begin(around_.now() + 20s));
      }
      send();
      if (transactor == nullptr) {
        static_cast<void>(co_await client_->flush(around_.now() + 15s));
        continue;
      }
      GroupOffsets offsets;
      offsets.group = "group";
      offsets.items = {{{"orders", PartitionIndex(0)}, Offset(round)}};
      static_cast<void>(co_await transactor->send_offsets(std::move(offsets), soon()));
      if (is_chosen(6) && round == 1) {
        static_cast<void>(co_await transactor->abort(soon()));
      } else {
        static_cast<void>(co_await transactor->commit(soon()));
      }
    }
    static_cast<void>(co_await client_->partitions_for("orders", soon()));
  }
  void send() {
    for (std::uint64_t i = 0; i < round_size; ++i) {
      const std::string value = std::to_string(sent_) + ":" + std::string(i * 7, 'x');
      RecordToSend record{.topic = "orders", .value = as_bytes(std::string_view(value))};
      record.partition = PartitionIndex(static_cast<std::int32_t>(i) % partition_count);
      if (!client_->send(record, &sink_, sent_, FullBuffer::fail)) continue;
      values_.push_back(value);
      ++sent_;
    }
  }
  // With what was told, as far as answers were sound.
  void compare(std::int32_t partition) const {
    const auto records = around_.cluster->records("orders", PartitionIndex(partition));
    check(records.has_value(), "the mock has the partition");
    std::map<std::uint64_t, std::size_t> times;
    for (const mock::StoredRecord& record : *records) {
      check(record.value.has_value(), "a record that was sent has a value");
      const std::uint64_t token = std::stoull(*record.value);
      check(token < sent_ && *record.value == values_[token], "a record is stored as it was sent");
      ++times[token];
    }
    if (around_.damage.has_changed) return;
    for (const auto& [token, outcome] : sink_.told) {
      if (outcome.partition != partition) continue;
      const auto stored = times.find(token);
      const std::size_t count = stored == times.end() ? 0 : stored->second;
      check(!is_idempotent_ || count <= 1, "idempotent records are stored once");
      if (outcome.is_delivered && outcome.offset != no_offset) {
        check(count > 0, "what is delivered is stored");
      } else if (!outcome.is_delivered && outcome.persistence == Persistence::not_persisted) {
        check(count == 0, "what is not persisted is not stored");
      }
    }
  }

  Surroundings around_;
  PostingMailbox mailbox_;
  std::uint8_t choices_;
  Sink sink_;
  std::optional<ProducerClient> client_;
  bool is_idempotent_ = false;
  std::uint64_t sent_ = 0;
  std::vector<std::string> values_;
};

}  // namespace

void produce(Input& input) {
  Writing(input).go();
}

}  // namespace millrace::fuzz
