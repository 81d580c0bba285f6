// The directory of a raft node that something has damaged: segments and snapshots are changed as
// the input says, also with a right checksum, then the log is opened and used. It may be refused,
// as damaged and nothing else; what it gives a node can begin with, and it is the same after the
// next start.
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"

import millrace.raft.store;

namespace {

using namespace millrace;
using namespace millrace::raft;
using fuzz::Input;
using storage::StorageFault;

const std::string directory = "/raft";
constexpr StoreOptions options{.segment_bytes = 200, .reserve_bytes = 0};
using Files = std::map<std::string, std::string>;

struct World {
  World() : disk(1), files(disk, executor, {.completion = SimulatedCompletion::immediate}) {}

  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    check(ended.has_value(), "every operation ends");
    return std::move(ended.value());
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileSystem files;
};

Entry entry_at(std::int64_t index, std::int64_t term) {
  return {LogIndex(index), Term(term), raft::EntryKind::command, Payload("data of an entry")};
}

// A log with several segments, two snapshots, a conflict and members.
Task<bool> make_log(World& world) {
  check((co_await world.files.make_directory(directory)).has_value(), "a directory");
  const Membership first({NodeId(1)});
  check((co_await DurableLog::format(world.files, directory, first)).has_value(), "a log begins");
  auto log = co_await DurableLog::open(world.files, directory, options);
  check(log.has_value(), "a new log opens");
  for (std::int64_t i = 1; i <= 12; ++i) {
    Write write{WriteNumber(1), std::nullopt, std::nullopt, {entry_at(i, i / 5 + 1)}};
    write.hard_state = HardState{Term(i / 5 + 1), NodeId(1)};
    if (i == 6) write.entries[0].kind = raft::EntryKind::membership;
    if (i == 6) write.entries[0].data = first.encode();
    if (i == 10) write.entries.insert(write.entries.begin(), entry_at(9, 3));
    check((co_await (*log)->persist(write)).has_value(), "a write is made durable");
  }
  const SnapshotMeta meta{{LogIndex(8), Term(2)}, first, 11};
  const SnapshotPart part{meta, 0, Payload("state of all")};
  const SnapshotPart fitting{meta, 0, Payload("state of it")};
  check(!(co_await (*log)->save(part)).has_value(), "too much is refused");
  check((co_await (*log)->save(fitting)).has_value(), "a state is saved");
  check((co_await (*log)->finish_save(meta)).has_value(), "a snapshot is saved");
  check((co_await (*log)->close()).has_value(), "the log closes");
  co_return true;
}

Task<Files> files_of(World& world) {
  co_await make_log(world);
  Files all;
  const auto entries = co_await world.files.list(directory);
  check(entries.has_value(), "the directory is listed");
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name == storage::directory_lock_name) continue;
    all.emplace(entry.name, world.disk.contents(storage::path_in(directory, entry.name)).value());
  }
  co_return all;
}

const Files& sound_files() {
  static const Files files = [] {
    World world;
    return world.wait(files_of(world));
  }();
  return files;
}

// A record with any fields and a right checksum is put behind a segment.
void add_record(const std::string& name, std::string& text, Input& input) {
  const auto number = parse_segment_name(name);
  if (!number) return;
  RecordHeader header;
  header.kind = static_cast<RecordKind>(1 + input.byte() % 3);
  header.entry_kind = static_cast<raft::EntryKind>(input.byte() % 3);
  header.write_from = text.size() - input.byte() % (text.size() + 1);
  header.term = Term(static_cast<std::int8_t>(input.byte()));
  header.index = LogIndex(static_cast<std::int8_t>(input.byte()));
  header.vote = NodeId(static_cast<std::int8_t>(input.byte()));
  std::vector<std::byte> bytes;
  append_record(bytes, *number, text.size(), header, as_bytes("data"));
  text += as_text(bytes);
}

void damage(Files& files, Input& input) {
  if (files.empty()) return;
  auto file = files.begin();
  std::advance(file, static_cast<std::ptrdiff_t>(input.byte() % files.size()));
  std::string& text = file->second;
  const std::uint8_t what = input.byte() % 7;
  const std::size_t at = text.empty() ? 0 : input.number() % text.size();
  switch (what) {
    case 0:
      if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << (input.byte() % 8)));
      return;
    case 1:
      text.resize(at);
      return;
    case 2:
      text.append(input.number() % 3'000, '\0');
      return;
    case 3:
      text.append(text, 0, at);
      return;
    case 4:
      files.erase(file);
      return;
    case 5: {
      auto other = files.begin();
      std::advance(other, static_cast<std::ptrdiff_t>(input.byte() % files.size()));
      text = other->second;
      return;
    }
    default:
      add_record(file->first, text, input);
  }
}

Task<bool> write_files(World& world, const Files& files) {
  check((co_await world.files.make_directory(directory)).has_value(), "a directory");
  for (const auto& [name, text] : files) {
    const auto file =
        co_await world.files.open(storage::path_in(directory, name), OpenMode::create);
    check(file.has_value(), "a file is made");
    const std::array pieces{as_bytes(text)};
    check((co_await world.files.write(*file, 0, pieces)).has_value(), "a file is written");
    check((co_await world.files.close(*file)).has_value(), "a file is closed");
  }
  co_return true;
}

Task<bool> use(World& world) {
  auto opened = co_await DurableLog::open(world.files, directory, options);
  if (!opened) {
    const StorageFault fault = opened.error().fault;
    check(fault == StorageFault::corrupt || fault == StorageFault::not_found ||
              fault == StorageFault::invalid,
          "damage is told as damage");
    co_return true;
  }
  Recovered recovered = (*opened)->take_recovered();
  HardState state = recovered.hard_state;
  const SnapshotMeta snapshot = recovered.snapshot;
  // Its constructor checks what it is given.
  Node node(NodeId(1), Options{}, std::move(recovered), MonotonicTime{});
  const LogIndex next = node.log().last().index.next();
  const bool at_the_end = next.value() < 1 || state.term.value() > 1'000'000;
  if (!at_the_end) {
    state.term = Term(std::max(state.term.value(), snapshot.last.term.value()) + 1);
    const Write write{
        WriteNumber(1), state, std::nullopt, {entry_at(next.value(), state.term.value())}};
    check((co_await (*opened)->persist(write)).has_value(), "it goes on");
  }
  check((co_await (*opened)->close()).has_value(), "it closes");
  auto again = co_await DurableLog::open(world.files, directory, options);
  check(again.has_value(), "what was written is opened again");
  const Recovered same = (*again)->take_recovered();
  check(same.hard_state == state, "term and vote stay");
  check(same.snapshot == snapshot, "the snapshot stays");
  if (!at_the_end) {
    check(!same.entries.empty() && same.entries.back().index == next, "the entry stays");
  }
  check((co_await (*again)->close()).has_value(), "it closes again");
  co_return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Files files = sound_files();
  Input input(data, size);
  const std::size_t damages = input.byte() % 6;
  for (std::size_t i = 0; i < damages && input.more(); ++i) damage(files, input);
  World world;
  world.wait(write_files(world, files));
  world.wait(use(world));
  world.executor.run_until_idle();
  return 0;
}
