module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/admin.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

// The parts of a bundle: answers of commands as JSON, each in a file of its own.
class Bundle {
 public:
  Bundle(const Call& call, std::int64_t seconds) : call_(call), tar_(seconds) {}

  void add(const std::string& name, const std::function<Answer(const Call&)>& command,
           const std::vector<std::string>& operands = {}, bool has_all = false) {
    if (Interrupt::is_asked()) return;
    progress_.show(name);
    Arguments arguments;
    for (const char* option : {"bootstrap", "profile", "setting", "timeout"})
      for (const std::string& value : call_.arguments.all(option)) arguments.add(option, value);
    for (const std::string& operand : operands) arguments.add_operand(operand);
    if (has_all) {
      arguments.add("all", "");
      arguments.add("internal", "");
    }
    const Answer answer = command({.arguments = arguments, .format = Format::json});
    if (!answer.failures.empty()) add_failed(name, line_of(answer.failures.front()));
    add_text(name, text_of(answer, Format::json));
  }
  void add_text(const std::string& name, const std::string& text) {
    tar_.add(name, text);
    files_.push_back(name);
  }
  void add_failed(const std::string& name, std::string why) {
    failed_.push_back(name);
    reasons_.push_back(std::move(why));
  }

  const Texts& files() const { return files_; }
  const Texts& failed_parts() const { return failed_; }
  // Of each, why.
  const Texts& reasons() const { return reasons_; }
  std::string finish() && { return std::move(tar_).finish(); }

 private:
  const Call& call_;
  TarFile tar_;
  Progress progress_;
  Texts files_;
  Texts failed_;
  Texts reasons_;
};

// Names of topics and groups may have what names of files should not, and be longer: then the
// number of the file tells them apart.
std::string file_name(std::string_view name, std::size_t number) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  constexpr std::size_t bytes_max = 200;  // with what stands before and after, 255 at most
  std::string text;
  for (const char letter : name) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                          letter == '.';
    if (is_plain) {
      text += letter;
    } else {
      const auto code = static_cast<unsigned char>(letter);
      text += {'%', hex[code >> 4U], hex[code & 15U]};
    }
  }
  if (text.size() <= bytes_max) return text;
  return joined(text.substr(0, bytes_max), "~", number);
}

void add_configs(Bundle& bundle, const Call& call, Failures& failures) {
  auto session = ClientSession::open(call, failures);
  v1::Admin* admin = session ? session->admin(failures) : nullptr;
  if (admin == nullptr) return;
  const auto cluster = admin->describe_cluster(session->admin_options()).get();
  if (!cluster) return;  // told of by the parts before
  for (const v1::DescribedBroker& broker : cluster->brokers)
    bundle.add(joined("configs/broker-", broker.id, ".json"), list_configs,
               {"broker", std::to_string(broker.id)}, true);
  Failures of_listing;
  for (const std::string& topic : session->topic_names(of_listing)) {
    const std::string name = joined(file_name(topic, bundle.files().size()), ".json");
    bundle.add(joined("topics/", name), describe_topic, {topic});
    bundle.add(joined("configs/topic-", name), list_configs, {"topic", topic});
  }
  const auto groups = admin->list_groups(session->admin_options()).get();
  if (!groups) of_listing.push_back(failure_of(groups.error()));
  for (const v1::ListedGroup& group : groups ? groups->groups : std::vector<v1::ListedGroup>())
    bundle.add(joined("groups/", file_name(group.id, bundle.files().size()), ".json"),
               describe_group, {group.id});
  failures.insert(failures.end(), of_listing.begin(), of_listing.end());
}

Answer debug_bundle(const Call& call) {
  const auto now = current_time();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  std::string path = call.arguments.operand(0);
  if (path.empty()) path = joined("millrace-debug-", seconds.count(), ".tar");
  const Interrupt interrupt;
  Answer answer;
  Bundle bundle(call, seconds.count());
  bundle.add_text("about.json",
                  joined("{\"version\":\"", version, "\",\"time\":\"", iso_text(now), "\"}\n"));
  bundle.add("health.json", cluster_health);
  bundle.add("brokers.json", list_brokers);
  bundle.add("quorum.json", describe_quorum);
  bundle.add("leaders.json", list_leaders);
  bundle.add("topics.json", list_topics, {}, true);
  bundle.add("groups.json", list_groups);
  // Nothing more can be asked where nobody answered so far.
  if (bundle.failed_parts().size() < 6) add_configs(bundle, call, answer.failures);
  for (const std::string& address : call.arguments.all("metrics")) {
    bool is_good = false;
    const std::string name = joined("metrics/", file_name(address, bundle.files().size()), ".txt");
    bundle.add_text(name, metrics_page_of(address, is_good));
    if (!is_good) bundle.add_failed(name, "the page did not come whole");
  }
  answer.fields = {{"file", path}, {"parts", bundle.files()}, {"failed", bundle.failed_parts()}};
  const auto parts = static_cast<std::int64_t>(bundle.files().size());
  for (std::size_t index = 0; index < bundle.failed_parts().size(); ++index)
    answer.failures.push_back(
        {.code = "INCOMPLETE",
         .message = joined(bundle.failed_parts()[index], ": ", bundle.reasons()[index])});
  if (auto failure = write_private_file(path, std::move(bundle).finish()))
    return failed(*std::move(failure));
  answer.sentences = {joined("wrote ", path, ": ", counted(parts, "file"),
                             "; look through it before you give it away")};
  return answer;
}

}  // namespace

std::vector<Command> debug_commands() {
  return {
      {.name = "debug bundle",
       .summary = "Write a tar file of what one wants to know of a cluster in trouble",
       .description = "Collects health, brokers, controllers, topics, groups, settings and, with "
                      "--metrics, metrics pages. Values of secret settings are left out. It has "
                      "no records.",
       .operands = {{.name = "FILE",
                     .help = "Where to; else millrace-debug-SECONDS.tar",
                     .completes = Completes::files,
                     .is_required = false}},
       .options = with_cluster_options({{.name = "metrics",
                                         .value = "HOST:PORT",
                                         .help = "Where a process of the cluster tells its metrics",
                                         .is_repeated = true}}),
       .examples = {{"millrace debug bundle trouble.tar --metrics broker-1:9100", ""}},
       .run = debug_bundle}};
}

}  // namespace millrace::cli
