// What is to be done after an event, and what was proposed and is not committed yet.
module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.metadata.machine:effects;

import millrace.base;
import millrace.metadata;
import :options;
import :requests;

export namespace millrace::metadata {

// Counts the proposals of one time as a leader, from 1; 0 is before the first.
using Ticket = Strong<struct TicketTag, std::uint64_t>;

// The data of one entry of the controllers' log.
struct Proposal {
  Ticket ticket;
  OwnedBytes entry;
};
struct Answer {
  RequestId request;
  Reply reply;
};

// Answers may leave at once: those that rest on a proposal have been kept back until that was
// committed.
struct Effects {
  std::vector<Proposal> proposals;  // to be proposed in this order, none left out
  std::vector<Answer> answers;
  std::optional<MonotonicTime> deadline;  // when tick is due if nothing happens before
};

// Collects the effects of the events of one machine, packs records into entries, gives out tickets,
// keeps back answers that must wait, and sees to it that each request is answered once.
class Outbox {
 public:
  void open(RequestId request, std::size_t kind);
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

  // Records that take effect together: they lie in one entry, with what came before where there is
  // room.
  void propose(const std::vector<Record>& records);
  // What was proposed becomes an entry. After each event.
  void flush();
  // Leaves when all that was proposed so far is committed. Not before flush().
  void answer(RequestId request, Reply reply);
  // Without waiting for anything.
  void answer_now(RequestId request, Reply reply);

  // The oldest proposal is committed; what waited for it leaves. Gives false if these are other
  // bytes than those that were proposed.
  [[nodiscard]] bool committed(ByteView entry);
  // Nothing more of what was proposed is heard of: what is open is answered.
  void fail_all(const Outcome& outcome);

  [[nodiscard]] std::size_t uncommitted() const { return uncommitted_.size(); }
  [[nodiscard]] std::size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  [[nodiscard]] Effects take() { return std::exchange(effects_, {}); }

 private:
  struct Uncommitted {
    Ticket ticket;
    std::size_t bytes = 0;
    std::uint32_t checksum = 0;
  };

  std::map<RequestId, std::size_t> open_;  // and the place of its kind in Request
  std::multimap<Ticket, Answer> waiting_;
  OwnedBytes packing_;
  std::deque<Uncommitted> uncommitted_;
  std::size_t uncommitted_bytes_ = 0;
  Ticket last_;
  Effects effects_;
};

}  // namespace millrace::metadata
