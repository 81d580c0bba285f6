// millrace.cli.records: commands that send and receive records.
module;
#include <optional>
#include <vector>

export module millrace.cli.records;

export import :histogram;
export import :line_reader;
export import :record_format;
export import :record_input;
import millrace.cli.frame;
import millrace.cli.session;

export namespace millrace::cli {

[[nodiscard]] std::vector<Command> record_commands();
[[nodiscard]] std::vector<Command> bench_commands();

}  // namespace millrace::cli

// What the descriptions name.
namespace millrace::cli {

// Settings that only one kind of client takes are not those of an admin client.
[[nodiscard]] inline std::optional<ClientSession> open_for_records(const Call& call,
                                                                   Failures& failures) {
  return ClientSession::open(call, failures, ClientSession::MainClient::other);
}

[[nodiscard]] Answer produce(const Call& call);
[[nodiscard]] Answer consume(const Call& call);
[[nodiscard]] Answer bench_produce(const Call& call);
[[nodiscard]] Answer bench_consume(const Call& call);
[[nodiscard]] Answer bench_latency(const Call& call);

}  // namespace millrace::cli
