// Transactions and producers, as the public admin client tells and ends them.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;
using client::outer;

client::TransactionsFilter inner(const TransactionsFilter& filter) {
  client::TransactionsFilter converted{.states = filter.states, .id_pattern = filter.id_pattern};
  for (const std::int64_t producer : filter.producers) converted.producers.emplace_back(producer);
  if (filter.running_for) converted.running_for = *filter.running_for;
  return converted;
}

ListedTransactions outer(const client::ListedTransactions& listed) {
  ListedTransactions converted;
  for (const client::ListedTransaction& row : listed.transactions)
    converted.transactions.push_back(
        {row.id, row.producer.value(), row.state, row.coordinator.value()});
  converted.errors = client::outer_errors(listed.errors);
  return converted;
}

DescribedTransaction outer(const client::DescribedTransaction& transaction) {
  DescribedTransaction converted{
      .state = transaction.state,
      .coordinator = transaction.coordinator.value(),
      .producer = transaction.producer.value(),
      .epoch = transaction.epoch.value(),
      .timeout = std::chrono::duration_cast<std::chrono::milliseconds>(transaction.timeout),
      .partitions = outer(transaction.partitions)};
  if (transaction.started) converted.started = client::outer_time(*transaction.started);
  return converted;
}

std::vector<ActiveProducer> outer(const std::vector<client::ActiveProducer>& producers) {
  std::vector<ActiveProducer> converted;
  for (const client::ActiveProducer& producer : producers) {
    ActiveProducer& row = converted.emplace_back();
    row.id = producer.id.value();
    row.epoch = producer.epoch;
    row.last_sequence = producer.last_sequence.value();
    row.last_timestamp = client::outer_time(producer.last_timestamp);
    if (producer.transaction_start) row.transaction_start = producer.transaction_start->value();
    row.coordinator_epoch = producer.coordinator_epoch;
  }
  return converted;
}

FencedProducer outer(const client::FencedProducer& fenced) {
  return {fenced.producer.value(), fenced.epoch.value()};
}

constexpr auto to_outer = [](const auto& value) { return outer(value); };

}  // namespace

Future<Result<ListedTransactions>> Admin::list_transactions(TransactionsFilter filter,
                                                            AdminOptions options) {
  return implementation_->ask<ListedTransactions>(
      [filter = std::move(filter), options](Client& client) {
        return client.list_transactions(inner(filter), inner(options));
      },
      to_outer);
}

Future<Outcomes<std::string, DescribedTransaction>> Admin::describe_transactions(
    std::vector<std::string> ids, AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, DescribedTransaction>>(
      ids,
      [ids, options](Client& client) { return client.describe_transactions(ids, inner(options)); },
      to_outer);
}

Future<Outcomes<TopicPartition, std::vector<ActiveProducer>>> Admin::describe_producers(
    std::vector<TopicPartition> partitions, AdminOptions options) {
  return implementation_->ask_each<Outcomes<TopicPartition, std::vector<ActiveProducer>>>(
      partitions,
      [partitions, options](Client& client) {
        return client.describe_producers(inner(partitions), inner(options));
      },
      to_outer);
}

Future<Result<void>> Admin::abort_transaction(HangingTransaction transaction,
                                              AdminOptions options) {
  return implementation_->ask_done([transaction = std::move(transaction), options](Client& client) {
    return client.abort_transaction({.partition = inner(transaction.partition),
                                     .producer = ProducerId(transaction.producer),
                                     .epoch = ProducerEpoch(transaction.epoch),
                                     .coordinator_epoch = transaction.coordinator_epoch},
                                    inner(options));
  });
}

Future<Outcomes<std::string, FencedProducer>> Admin::fence_producers(std::vector<std::string> ids,
                                                                     AdminOptions options) {
  return implementation_->ask_each<Outcomes<std::string, FencedProducer>>(
      ids, [ids, options](Client& client) { return client.fence_producers(ids, inner(options)); },
      to_outer);
}

}  // namespace millrace::inline v1
