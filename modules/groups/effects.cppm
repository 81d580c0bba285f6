// What is to be done after an event, and what has been emitted and is not committed yet.
module;
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

export module millrace.groups:effects;

import millrace.base;
import :limits;
import :requests;
import :types;

export namespace millrace::groups {

// For the state partition. No value: a tombstone.
struct Record {
  OwnedBytes key;
  std::optional<OwnedBytes> value;

  [[nodiscard]] inline std::size_t bytes() const {
    return key.size() + (value ? value->size() : 0);
  }
  // In a batch, at most.
  [[nodiscard]] inline std::size_t framed_bytes() const {
    return bytes() + record_framing_bytes_max;
  }
  friend bool operator==(const Record&, const Record&) = default;
};

// To be written as one batch, in the order of the tickets.
struct Append {
  Ticket ticket;
  std::vector<Record> records;
};

struct Answer {
  RequestId request;
  Reply reply;
};

// Answers may leave at once: those that rest on an append have been kept back until that was
// committed.
struct Effects {
  std::vector<Append> appends;
  std::vector<Answer> answers;
  std::optional<MonotonicTime> deadline;  // when tick is due if nothing happens before
};

// What replies that may be large hold until they are sent: offsets, members, lists of groups. None
// for others, which are small beside the request or the group that they are about.
[[nodiscard]] std::size_t held_bytes(const Reply& reply);

// Collects the effects of the events of one coordinator, gives out tickets, keeps back answers that
// must wait, and sees to it that each request is answered once. Answering one that is not open is a
// broken invariant.
class Outbox {
 public:
  explicit Outbox(std::size_t append_bytes_max) : append_bytes_max_(append_bytes_max) {}

  void open(RequestId request, std::size_t kind);
  [[nodiscard]] bool is_open(RequestId request) const { return open_.contains(request); }
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

  // In batches whose records take at most append_bytes_max, or of one record; the ticket of the
  // last one. Not for no records.
  [[nodiscard]] Ticket append(std::vector<Record> records);
  // Leaves when all appends up to `after` are committed.
  void answer(RequestId request, Reply reply, Ticket after);

  // All appends up to `ticket` are committed. Tickets that were not given out are a broken
  // invariant; one that came before changes nothing.
  void committed(Ticket ticket);
  // What is open is answered with `error` now, and nothing of what waited leaves.
  void fail_all(ErrorCode error);

  [[nodiscard]] Ticket last() const { return last_; }
  [[nodiscard]] Ticket committed() const { return committed_; }
  [[nodiscard]] std::size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  [[nodiscard]] std::size_t uncommitted_appends() const { return uncommitted_.size(); }
  // Of the answers that wait, as held_bytes() counts.
  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_bytes_; }
  [[nodiscard]] Effects take() { return std::exchange(effects_, {}); }

 private:
  void send(RequestId request, Reply reply);
  void emit(std::vector<Record> records, std::size_t bytes);

  std::size_t append_bytes_max_;
  std::map<RequestId, std::size_t> open_;  // and the place of its kind in Request
  std::multimap<Ticket, Answer> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::deque<std::pair<Ticket, std::size_t>> uncommitted_;  // and how many bytes
  std::size_t uncommitted_bytes_ = 0;
  Ticket last_;
  Ticket committed_;
  Effects effects_;
};

}  // namespace millrace::groups
