module;
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.runtime;

namespace millrace::simulated {
namespace {

constexpr std::size_t name_length_max = 255;

// Takes the first part off a path; empty at its end.
[[nodiscard]] std::string_view take_part(std::string_view& path) {
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const std::string_view part = path.substr(0, path.find('/'));
  path.remove_prefix(part.size());
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  return part;
}

}  // namespace

Tree::Tree(Storage& storage)
    : storage_(storage), root_(std::make_shared<Node>(storage, EntryKind::directory)) {
  root_->links_now = 1;
  root_->links_durable = 1;
}

// As of now a directory can be inside one that, durably, is inside it. Once the two agree nothing
// holds itself.
Tree::~Tree() {
  for (const auto& [number, change] : pending_) undo(change);
}

Place Tree::find(std::string_view path) const {
  Place place;
  place.node = root_;
  if (path.empty()) place.error = ENOENT;
  while (!path.empty()) {
    const std::string_view part = take_part(path);
    if (part.empty()) break;
    if (part.size() > name_length_max) place.error = ENAMETOOLONG;
    if (part == "." || part == "..") place.error = EINVAL;
    if (place.node == nullptr) place.error = ENOENT;
    if (place.node != nullptr && place.node->kind != EntryKind::directory) place.error = ENOTDIR;
    if (place.error != 0) break;
    place.directory = std::move(place.node);
    place.name = part;
    const auto found = place.directory->entries.find(part);
    place.node = found == place.directory->entries.end() ? nullptr : found->second.now;
  }
  return place;
}

void Tree::update_counted(Node& node) {
  node.contents.set_counted(node.links_now > 0 || node.handles > 0);
}

bool Tree::has_entries(const Node& directory) {
  return std::any_of(directory.entries.begin(), directory.entries.end(),
                     [](const auto& entry) { return entry.second.now != nullptr; });
}

void Tree::set_now(Entry& entry, NodePtr node) {
  if (node != nullptr) {
    ++node->links_now;
    update_counted(*node);
  }
  std::swap(entry.now, node);
  if (node != nullptr) {
    --node->links_now;
    update_counted(*node);
  }
}

void Tree::set_durable(Entry& entry, NodePtr node) {
  if (node != nullptr) ++node->links_durable;
  std::swap(entry.durable, node);
  if (node != nullptr) --node->links_durable;
}

// Remembers a change that `now` already shows.
void Tree::record(Change change) {
  const std::uint64_t number = ++change_count_;
  for (std::size_t i = 0; i < 2; ++i) {
    if (change.directory[i] == nullptr) continue;
    Entry& entry = change.directory[i]->entries[change.name[i]];
    change.before[i] = std::exchange(entry.last_change, number);
    if (i == 0 || change.directory[0] != change.directory[1]) {
      std::vector<std::uint64_t>& changes = change.directory[i]->changes;
      changes.push_back(number);
      if (changes.size() > 2 * changes_max) {
        std::erase_if(changes, [this](std::uint64_t n) { return !pending_.contains(n); });
      }
    }
  }
  const bool moves = change.directory[1] != nullptr && change.directory[0] != change.directory[1];
  if (moves && change.node->kind == EntryKind::directory) {
    change.before[2] = std::exchange(last_directory_move_, number);
  }
  pending_.emplace(number, std::move(change));
  if (pending_.size() > changes_max) commit(pending_.begin()->first);
}

NodePtr Tree::make(const Place& place, EntryKind kind) {
  NodePtr node = std::make_shared<Node>(storage_, kind);
  std::string name(place.name);
  set_now(place.directory->entries[name], node);
  Change change;
  change.directory[0] = place.directory;
  change.name[0] = std::move(name);
  change.node = node;
  record(std::move(change));
  return node;
}

bool Tree::leads_through(std::string_view path, const Node& node) const {
  const Node* at = root_.get();
  while (at != nullptr && at != &node && !path.empty()) {
    const auto found = at->entries.find(take_part(path));
    at = found == at->entries.end() ? nullptr : found->second.now.get();
  }
  return at == &node;
}

int Tree::rename(std::string_view from, std::string_view to) {
  const Place source = find(from);
  const Place target = find(to);
  if (source.error != 0) return source.error;
  if (target.error != 0) return target.error;
  if (source.node == nullptr) return ENOENT;
  if (source.name.empty() || target.name.empty()) return EBUSY;
  if (source.node == target.node) return 0;
  if (target.node != nullptr) {
    const bool onto_directory = target.node->kind == EntryKind::directory;
    const bool is_directory = source.node->kind == EntryKind::directory;
    if (onto_directory && !is_directory) return EISDIR;
    if (!onto_directory && is_directory) return ENOTDIR;
    if (onto_directory && has_entries(*target.node)) return ENOTEMPTY;
  }
  if (source.node->kind == EntryKind::directory && leads_through(to, *source.node)) return EINVAL;

  Change change;
  change.directory = {source.directory, target.directory};
  change.name = {std::string(source.name), std::string(target.name)};
  change.node = source.node;
  set_now(source.directory->entries[change.name[0]], nullptr);
  set_now(target.directory->entries[change.name[1]], source.node);
  record(std::move(change));
  return 0;
}

int Tree::remove(std::string_view path, EntryKind kind) {
  const Place place = find(path);
  if (place.error != 0) return place.error;
  if (place.node == nullptr) return ENOENT;
  if (place.name.empty()) return EBUSY;
  if (kind == EntryKind::directory) {
    if (place.node->kind != EntryKind::directory) return ENOTDIR;
    if (has_entries(*place.node)) return ENOTEMPTY;
  } else if (place.node->kind == EntryKind::directory) {
    return EISDIR;
  }
  Change change;
  change.directory[0] = place.directory;
  change.name[0] = std::string(place.name);
  set_now(place.directory->entries[change.name[0]], nullptr);
  record(std::move(change));
  return 0;
}

int Tree::sync(std::string_view path) {
  const Place place = find(path);
  if (place.error != 0) return place.error;
  if (place.node == nullptr) return ENOENT;
  if (place.node->kind != EntryKind::directory) return ENOTDIR;
  Node& directory = *place.node;
  std::vector<std::uint64_t> half_synced;
  for (const std::uint64_t number : std::exchange(directory.changes, {})) {
    const auto found = pending_.find(number);
    if (found == pending_.end()) continue;
    Change& change = found->second;
    for (std::size_t i = 0; i < 2; ++i) {
      if (change.directory[i] == nullptr || change.directory[i].get() == &directory) {
        change.synced[i] = true;
      }
    }
    if (change.synced[0] && change.synced[1]) {
      commit(number);
    } else {
      half_synced.push_back(number);
    }
  }
  // Those that a later change depended on have become durable with it.
  std::erase_if(half_synced, [this](std::uint64_t number) { return !pending_.contains(number); });
  directory.changes = std::move(half_synced);
  return 0;
}

// Makes a change durable, and before it those that it builds on.
void Tree::commit(std::uint64_t number) {
  auto taken = pending_.extract(number);
  if (taken.empty()) return;
  Change& change = taken.mapped();
  for (const std::uint64_t before : change.before) {
    if (before != 0) commit(before);
  }
  const std::size_t last = change.directory[1] == nullptr ? 0 : 1;
  const NodePtr replaced = change.directory[last]->entries[change.name[last]].durable;
  for (std::size_t i = 0; i < 2; ++i) {
    if (change.directory[i] == nullptr) continue;
    Entry& entry = change.directory[i]->entries[change.name[i]];
    set_durable(entry, i == last ? change.node : nullptr);
    if (entry.last_change == number) entry.last_change = 0;
    drop_if_empty(*change.directory[i], change.name[i]);
  }
  // A directory that is gone for good takes its own changes with it: what was moved out of it is
  // then durable where it is now.
  if (replaced != nullptr && replaced->links_now == 0 && replaced->links_durable == 0) {
    for (const std::uint64_t inner : std::exchange(replaced->changes, {})) commit(inner);
  }
}

void Tree::sync_all() {
  while (!pending_.empty()) commit(pending_.begin()->first);
}

void Tree::drop_if_empty(Node& directory, const std::string& name) {
  const auto found = directory.entries.find(name);
  if (found == directory.entries.end()) return;
  const Entry& entry = found->second;
  if (entry.now != nullptr || entry.durable != nullptr || entry.last_change != 0) return;
  directory.entries.erase(found);
}

bool Tree::depends_on_lost(const Change& change) const {
  return std::any_of(change.before.begin(), change.before.end(),
                     [this](std::uint64_t before) { return pending_.contains(before); });
}

void Tree::undo(const Change& change) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (change.directory[i] == nullptr) continue;
    const auto found = change.directory[i]->entries.find(change.name[i]);
    if (found == change.directory[i]->entries.end()) continue;
    set_now(found->second, found->second.durable);
    found->second.last_change = 0;
    drop_if_empty(*change.directory[i], change.name[i]);
  }
}

void Tree::lose(Random& random, Survival survival) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, change] : pending_) numbers.push_back(number);
  double probability = 0;
  if (survival == Survival::everything) probability = 1;
  if (survival == Survival::some) probability = random.fraction();
  for (const std::uint64_t number : numbers) {
    const auto found = pending_.find(number);
    if (found == pending_.end() || depends_on_lost(found->second)) continue;
    if (random.chance(probability)) commit(number);
  }
  for (const auto& [number, change] : pending_) undo(change);
  for (const auto& [number, change] : pending_) {
    for (const NodePtr& directory : change.directory) {
      if (directory != nullptr) directory->changes.clear();
    }
  }
  pending_.clear();
}

}  // namespace millrace::simulated
