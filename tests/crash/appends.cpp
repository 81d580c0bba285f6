#include "trial.hpp"

namespace millrace::storage::crash {

namespace {

// A part of what producers do: enough of them that they meet, few enough that each goes on.
constexpr std::uint64_t producers_max = 3;

}  // namespace

// What the log will be if everything that was asked for ends well, so that producers send what
// follows.
struct Trial::Ahead {
  explicit Ahead(const Model& model) : end(model.end()) {
    const auto entries = model.producers().snapshot_entries();
    producers.restore(entries, Timestamp(0), std::numeric_limits<std::int64_t>::max());
  }

  void append(const Batch& batch, protocol::Decompressor& decompressor) {
    static_cast<void>(add_to_producers(producers, batch.view(), decompressor));
    end = batch.last().next();
  }

  Offset end;
  ProducerBudget budget;
  ProducerStates producers{budget};
};

// The next batch of a producer, as the log knows it; sometimes, if it may be wrong, one that it had
// before, or one that comes too early.
void Trial::plan_producer(BatchPlan& plan, const Ahead& ahead, bool may_be_wrong) {
  const ProducerId producer(static_cast<std::int64_t>(100 + random_.below(producers_max)));
  plan.producer = {producer, ProducerEpoch(0), millrace::Sequence(0)};
  const auto* state = ahead.producers.find(producer);
  if (state == nullptr) {
    plan.transactional = random_.chance(0.5);
    return;
  }
  plan.producer.epoch = state->epoch();
  const bool open = state->transaction_start().has_value();
  if (open && random_.chance(0.4)) {
    plan.marker = random_.chance(0.5) ? protocol::ControlRecordType::abort
                                      : protocol::ControlRecordType::commit;
    plan.producer.base_sequence = no_sequence;
    return;
  }
  plan.transactional = open || random_.chance(0.4);
  if (!open && random_.chance(0.1)) {
    plan.producer.epoch = state->epoch().next();
    return;
  }
  const auto last = state->last_batch();
  if (last) plan.producer.base_sequence = last->last_sequence.next();
  if (!may_be_wrong) return;
  if (last && random_.chance(0.1)) {
    plan.producer.base_sequence = last->first_sequence();
    plan.records = static_cast<std::size_t>(last->offset_delta) + 1;
    plan.gap = 0;
    plan.value_bytes = 5;
  } else if (random_.chance(0.05)) {
    plan.producer.base_sequence = plan.producer.base_sequence.plus(7);
  }
}

Trial::Ask Trial::new_ask(Ahead& ahead) {
  Ask ask;
  if (random_.chance(0.08)) epoch_ = epoch_.next();
  ask.epoch = epoch_;
  ask.replicated = random_.chance(0.25);
  // Where something is short some of them may be appended; then what follows would not be what it
  // seems.
  const bool single = !ask.replicated || runs_short();
  const std::size_t batches = single ? 1 : 1 + random_.below(3);
  for (std::size_t i = 0; i < batches; ++i) {
    BatchPlan plan;
    plan.records = 1 + random_.below(3);
    plan.value_bytes =
        random_.chance(0.1) ? random_.below(machine_.config.segment_bytes / 5) : random_.below(40);
    plan.timestamp = Timestamp(static_cast<std::int64_t>(random_.below(2'000)));
    plan.timestamp_spread = 50;
    if (random_.chance(0.1)) plan.gap = 2;
    if (random_.chance(0.85)) plan.keys = 6;
    if (random_.chance(0.5)) plan_producer(plan, ahead, !ask.replicated);
    // What is known of a producer does not change with the records that stay of a batch.
    if (plan.producer.id != no_producer_id) plan.timestamp_spread = 0;
    if (plan.marker) ask.origin = AppendOrigin::coordinator;
    Draft draft = maker_.make(plan, random_);
    std::optional<Offset> base;
    if (ask.replicated) {
      base = ahead.end;
      if (random_.chance(0.2)) base = base->plus(static_cast<std::int64_t>(random_.below(5)));
    }
    const BatchPtr batch = placed(draft, base.value_or(ahead.end), ask.epoch);
    ask.bytes.insert(ask.bytes.end(), batch->bytes.begin(), batch->bytes.end());
    ask.batches.push_back({std::move(draft), ask.epoch, base});
    if (ask.replicated) ahead.append(*batch, machine_.process->decompressor);
  }
  return ask;
}

Task<void> Trial::run_append(Ask& ask) {
  if (ask.replicated) {
    ask.result.emplace(co_await machine_.log->replicate(ask.bytes));
    co_return;
  }
  LeaderAppend append;
  append.batch = ask.bytes;
  append.epoch = ask.epoch;
  append.origin = ask.origin;
  ask.result.emplace(co_await machine_.log->append(append));
}

void Trial::append() {
  const std::size_t count = random_.chance(0.5) ? 1 : 1 + random_.below(5);
  std::vector<Ask> asks;
  ahead_was_wrong_ = false;
  Ahead ahead(model_);
  protocol::Decompressor& decompressor = machine_.process->decompressor;
  for (std::size_t i = 0; i < count; ++i) {
    asks.push_back(new_ask(ahead));
    const Ask& ask = asks.back();
    if (!ask.replicated) {
      const BatchPtr batch = placed(ask.batches[0].draft, ahead.end, ask.epoch);
      if (check_of(ahead.producers, *batch, ask.origin, decompressor).accepted()) {
        ahead.append(*batch, decompressor);
      }
    }
    for (const Pending& pending : ask.batches) model_.will_append(pending);
  }
  TaskGroup group;
  Beside beside;
  const bool beside_first = random_.chance(0.5);
  if (beside_first) start_beside(group, beside);
  for (Ask& ask : asks) group.start(run_append(ask));
  if (!beside_first) start_beside(group, beside);
  machine_.wait_for(group);
  model_.settled();
  bool answered = true;
  for (const Ask& ask : asks) {
    if (options_.trace) trace_ask(ask);
    // From the first that was not answered on all may be in the log or not; so it is where the
    // flush behind an append found no descriptor.
    const bool failed = !*ask.result && ask.result->error().fault == AppendFault::storage;
    answered = answered && !(failed && (!well() || options_.trouble == Trouble::descriptors));
    if (answered) {
      end_append(ask);
    } else {
      for (const Pending& pending : ask.batches) model_.will_append(pending);
    }
  }
  end_beside(beside);
  if (!answered && well()) {
    ++coverage_.ran_short;
    return compare(Expected::after_crash, model_.end());
  }
  model_.durable_up_to(machine_.log->flushed_end());
  static_cast<void>(survived());
}

namespace {

[[nodiscard]] std::string text_of(const AppendResult& result) {
  if (!result) return formatted("{}: {}", name_of(result.error().fault), result.error().message);
  return formatted("{} at {} to {}", std::string_view(result->duplicate ? "duplicate" : "appended"),
                   result->base_offset, result->last_offset);
}

// Whether the log answers what the producers have to say.
[[nodiscard]] bool agrees(const ProducerCheck& right, const Batch& batch,
                          const AppendResult& result) {
  const bool duplicate = right.verdict == ProducerVerdict::duplicate;
  const bool taken = duplicate || right.accepted();
  if (!result) {
    return !taken && result.error().fault == AppendFault::producer &&
           result.error().verdict == right.verdict;
  }
  const Offset base = duplicate ? right.original.first_offset() : batch.base();
  const Offset last = duplicate ? right.original.last_offset : batch.last();
  return taken && result->duplicate == duplicate && result->base_offset == base &&
         result->last_offset == last;
}

}  // namespace

void Trial::trace_ask(const Ask& ask) {
  trace("  {} batches, {} bytes, {}: {}", ask.batches.size(), ask.bytes.size(),
        std::string_view(ask.replicated ? "replicated" : "led"), text_of(*ask.result));
}

// What the leader has is refused if the log has forgotten what came before it, or had no space for
// that.
void Trial::end_refused(const AppendError& error) {
  if (runs_short()) return;
  if (error.fault == AppendFault::producer && model_.forget_producers()) return;
  if (ahead_was_wrong_) return;
  differ("what the leader has was refused: {} {}", name_of(error.fault), error.message);
}

void Trial::end_append(const Ask& ask) {
  const AppendResult& result = *ask.result;
  if (!result && result.error().fault == AppendFault::storage) {
    const AppendError& error = result.error();
    static_cast<void>(fine(storage_failure(error.storage, error.message), "append"));
    return;
  }
  if (ask.replicated) {
    if (!result) return end_refused(result.error());
    for (const Pending& pending : ask.batches) {
      model_.appended(placed(pending.draft, *pending.base, pending.epoch));
    }
  } else {
    const BatchPtr batch = placed(ask.batches[0].draft, model_.end(), ask.epoch);
    const auto right = [&] {
      return check_of(model_.producers(), *batch, ask.origin, machine_.process->decompressor);
    };
    const ProducerCheck expected = right();
    // What the log has forgotten may show only here.
    while (!agrees(right(), *batch, result)) {
      ahead_was_wrong_ = true;
      if (model_.forget_producers()) continue;
      differ("an append should be {} at {} to {} and is {}", name_of(expected.verdict),
             batch->base(), batch->last(), text_of(result));
    }
    if (!result || result->duplicate) return;
    model_.appended(batch);
  }
  trace("  appended up to {}, epoch {}", model_.end(), ask.epoch);
  // Who appends waits for the disk.
  if (machine_.config.flush_records == 1) model_.durable_up_to(model_.end());
}

}  // namespace millrace::storage::crash
