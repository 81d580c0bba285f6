module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.runtime;

namespace millrace {

namespace {

using simulated::Node;
using simulated::Place;
using simulated::Survival;

void lose_contents(Node& node, Random& random, Survival survival) {
  node.contents.lose(random, survival);
  for (const auto& [name, entry] : node.entries) lose_contents(*entry.now, random, survival);
}

void sync_contents(Node& node) {
  node.contents.sync();
  for (const auto& [name, entry] : node.entries) sync_contents(*entry.now);
}

void dump_entries(const Node& directory, std::size_t depth, std::string& text) {
  for (const auto& [name, entry] : directory.entries) {
    text.append(depth * 2, ' ');
    text += name;
    const Node* shown = entry.now != nullptr ? entry.now.get() : entry.durable.get();
    if (shown == nullptr) {
      text += ": made and removed, neither durable\n";
      continue;
    }
    if (shown->kind == EntryKind::directory) text += '/';
    if (shown->kind == EntryKind::file) {
      text += formatted(": {} bytes", shown->contents.size());
      if (shown->contents.changed()) {
        text += formatted(", not synced, durable size {}", shown->contents.durable_size());
      }
    }
    if (entry.now == nullptr) {
      text += ", removed, but not durably";
    } else if (entry.durable == nullptr) {
      text += ", entry not durable";
    } else if (entry.now != entry.durable) {
      text += ", durable entry is another file";
    }
    text += '\n';
    if (entry.now != nullptr) dump_entries(*entry.now, depth + 1, text);
  }
}

}  // namespace

SimulatedDisk::SimulatedDisk(std::uint64_t seed) : storage_(seed), tree_(storage_) {}

SimulatedDisk::~SimulatedDisk() {
  check(mounted_.empty(), "a disk outlives its file systems");
}

void SimulatedDisk::power_cut(std::uint64_t seed) {
  ++power_cuts_;
  cut_step_ = 0;
  Random random(seed);
  for (SimulatedFileSystem* system : mounted_) system->die(random);
  constexpr Survival choices[] = {Survival::nothing, Survival::everything, Survival::some,
                                  Survival::some};
  const Survival survival = choices[random.below(std::size(choices))];
  tree_.lose(random, survival);
  lose_contents(*tree_.root(), random, survival);
}

void SimulatedDisk::cut_power_at(std::uint64_t step, std::uint64_t seed) {
  cut_step_ = step;
  cut_seed_ = seed;
}

void SimulatedDisk::set_capacity(std::uint64_t bytes) {
  storage_.pages_max = bytes / simulated::page_size;
}

void SimulatedDisk::sync_all() {
  tree_.sync_all();
  sync_contents(*tree_.root());
}

Result<void> SimulatedDisk::flip_bit(std::string_view path, std::uint64_t bit) {
  const Place place = tree_.find(path);
  if (place.error != 0 || place.node == nullptr || bit / 8 >= place.node->contents.size()) {
    return failure(ErrorKind::not_found, formatted("{} has no bit {}", path, bit));
  }
  place.node->contents.flip_bit(bit);
  return {};
}

std::optional<std::string> SimulatedDisk::contents(std::string_view path) const {
  const Place place = tree_.find(path);
  if (place.error != 0 || place.node == nullptr || place.node->kind != EntryKind::file) {
    return std::nullopt;
  }
  std::string text(place.node->contents.size(), '\0');
  place.node->contents.read(0,
                            MutableBytes(reinterpret_cast<std::byte*>(text.data()), text.size()));
  return text;
}

std::string SimulatedDisk::dump() const {
  std::string text =
      formatted("simulated disk: {} steps, {} power cuts, {} faults, {} changes of names pending\n",
                steps_, power_cuts_, faults_.injected(), tree_.pending());
  dump_entries(*tree_.root(), 1, text);
  return text;
}

}  // namespace millrace
