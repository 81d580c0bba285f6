// A map whose versions share what they have in common.
module;
#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

export module millrace.metadata:persistent_map;

export namespace millrace::metadata {

// An ordered map as a value that never changes: with() and without() give another map that shares
// all but the path to the key. A balanced tree, so that both cost the logarithm of the size. Copies
// are cheap, and any thread may read any copy.
template <class Key, class Value, class Less = std::less<>>
class PersistentMap {
 public:
  PersistentMap() = default;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // Null: there is none. Lives as long as any map that has it.
  template <class Wanted>
  [[nodiscard]] const Value* find(const Wanted& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (Less{}(key, node->key)) {
        node = node->left.get();
      } else if (Less{}(node->key, key)) {
        node = node->right.get();
      } else {
        return &node->value;
      }
    }
    return nullptr;
  }

  [[nodiscard]] PersistentMap with(Key key, Value value) const {
    const bool is_new = find(key) == nullptr;
    return PersistentMap(insert(root_, std::move(key), std::move(value)), size_ + (is_new ? 1 : 0));
  }

  template <class Wanted>
  [[nodiscard]] PersistentMap without(const Wanted& key) const {
    if (find(key) == nullptr) return *this;
    return PersistentMap(erase(root_, key), size_ - 1);
  }

  // In the order of the keys: function(key, value).
  template <class Function>
  void for_each(Function&& function) const {
    visit(root_.get(), function);
  }

 private:
  struct Node;
  using Link = std::shared_ptr<const Node>;
  struct Node {
    Key key;
    Value value;
    Link left;
    Link right;
    int height = 1;
  };

  PersistentMap(Link root, std::size_t size) : root_(std::move(root)), size_(size) {}

  [[nodiscard]] static int height_of(const Link& link) { return link ? link->height : 0; }

  [[nodiscard]] static Link make(Key key, Value value, Link left, Link right) {
    const int height = std::max(height_of(left), height_of(right)) + 1;
    return std::make_shared<const Node>(
        Node{std::move(key), std::move(value), std::move(left), std::move(right), height});
  }

  // The same where the heights of both sides differ by two at most.
  [[nodiscard]] static Link balanced(Key key, Value value, Link left, Link right) {
    if (height_of(left) > height_of(right) + 1) {
      if (height_of(left->left) >= height_of(left->right)) {
        return make(left->key, left->value, left->left,
                    make(std::move(key), std::move(value), left->right, std::move(right)));
      }
      const Node& middle = *left->right;
      return make(middle.key, middle.value, make(left->key, left->value, left->left, middle.left),
                  make(std::move(key), std::move(value), middle.right, std::move(right)));
    }
    if (height_of(right) > height_of(left) + 1) {
      if (height_of(right->right) >= height_of(right->left)) {
        return make(right->key, right->value,
                    make(std::move(key), std::move(value), std::move(left), right->left),
                    right->right);
      }
      const Node& middle = *right->left;
      return make(middle.key, middle.value,
                  make(std::move(key), std::move(value), std::move(left), middle.left),
                  make(right->key, right->value, middle.right, right->right));
    }
    return make(std::move(key), std::move(value), std::move(left), std::move(right));
  }

  [[nodiscard]] static Link insert(const Link& node, Key key, Value value) {
    if (!node) return make(std::move(key), std::move(value), nullptr, nullptr);
    if (Less{}(key, node->key)) {
      return balanced(node->key, node->value, insert(node->left, std::move(key), std::move(value)),
                      node->right);
    }
    if (Less{}(node->key, key)) {
      return balanced(node->key, node->value, node->left,
                      insert(node->right, std::move(key), std::move(value)));
    }
    return make(std::move(key), std::move(value), node->left, node->right);
  }

  template <class Wanted>
  [[nodiscard]] static Link erase(const Link& node, const Wanted& key) {
    if (Less{}(key, node->key)) {
      return balanced(node->key, node->value, erase(node->left, key), node->right);
    }
    if (Less{}(node->key, key)) {
      return balanced(node->key, node->value, node->left, erase(node->right, key));
    }
    if (!node->left) return node->right;
    if (!node->right) return node->left;
    const Node* next = node->right.get();
    while (next->left) next = next->left.get();
    return balanced(next->key, next->value, node->left, erase(node->right, next->key));
  }

  template <class Function>
  static void visit(const Node* node, Function& function) {
    if (node == nullptr) return;
    visit(node->left.get(), function);
    function(node->key, node->value);
    visit(node->right.get(), function);
  }

  Link root_;
  std::size_t size_ = 0;
};

}  // namespace millrace::metadata
