// The directories of a simulated disk: names as programs see them now, and as they would be found
// if power went away.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

export module millrace.runtime:simulated_tree;

import millrace.base;
import :file_system;
import :random;
import :simulated_contents;

namespace millrace::simulated {

inline constexpr std::size_t changes_max = 10'000;

struct Node;
using NodePtr = std::shared_ptr<Node>;

struct Entry {
  NodePtr now;
  NodePtr durable;
  std::uint64_t last_change = 0;  // the newest change of this name that is not durable
};

// A file or a directory.
struct Node {
  Node(Storage& storage, EntryKind k) : kind(k), contents(storage) {}

  EntryKind kind;
  Contents contents;
  std::map<std::string, Entry, std::less<>> entries;
  std::vector<std::uint64_t> changes;  // of this directory, not durable, in their order
  std::uint32_t links_now = 0;
  std::uint32_t links_durable = 0;
  std::uint32_t handles = 0;
  // Who holds the lock: an open file of a file system.
  const void* lock_system = nullptr;
  FileHandle lock_file = no_file;
};

// What a path leads to.
struct Place {
  int error = 0;  // errno; the rest holds only if it is 0
  NodePtr directory;
  std::string_view name;  // empty for the root
  NodePtr node;           // null if there is no such entry
};

// Names change at once and become durable when their directory is synced. Every change survives a
// power cut or not on its own, except that changes of the same name survive in their order, and
// that a rename is one change of two names. The oldest become durable by themselves once there are
// more than changes_max. A rename from one directory to another is durable when
// both are synced. Functions give an errno, 0 for success.
class Tree {
 public:
  explicit Tree(Storage& storage);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] Place find(std::string_view path) const;
  // A new entry where find() found none.
  NodePtr make(const Place& place, EntryKind kind);
  [[nodiscard]] int rename(std::string_view from, std::string_view to);
  [[nodiscard]] int remove(std::string_view path, EntryKind kind);
  [[nodiscard]] int sync(std::string_view path);

  void sync_all();

  // Decides which changes of names survived; what did not is undone. No file is open.
  void lose(Random& random, Survival survival);

  [[nodiscard]] const NodePtr& root() const { return root_; }

  // How many changes of names are not durable.
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

  // Called whenever handles or links change: a file without either takes no space.
  static void update_counted(Node& node);
  [[nodiscard]] static bool has_entries(const Node& directory);

 private:
  struct Change {
    std::array<NodePtr, 2> directory;  // the second of a rename only
    std::array<std::string, 2> name;
    NodePtr node;  // what the (second) name leads to afterwards; null for a removal
    // What this builds on: the changes of these names that came before and, for a directory that
    // moves to another one, the last such move; else two could end up inside each other.
    std::array<std::uint64_t, 3> before{};
    std::array<bool, 2> synced{};
  };

  void record(Change change);
  void commit(std::uint64_t number);
  void undo(const Change& change);
  void drop_if_empty(Node& directory, const std::string& name);
  static void set_now(Entry& entry, NodePtr node);
  static void set_durable(Entry& entry, NodePtr node);
  [[nodiscard]] bool depends_on_lost(const Change& change) const;
  [[nodiscard]] bool leads_through(std::string_view path, const Node& node) const;

  Storage& storage_;
  NodePtr root_;
  std::uint64_t change_count_ = 0;
  std::uint64_t last_directory_move_ = 0;
  std::map<std::uint64_t, Change> pending_;
};

}  // namespace millrace::simulated
