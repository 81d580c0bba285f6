"""The reference of the C++ client is what the headers say, and the tool reads headers rightly."""

import unittest

import sdk_reference

HEADER = '''// What it is: two lines
// of it. A Result<T>.
//
//   example(1);
#pragma once
#include "millrace/abi.hpp"

namespace millrace::inline v1 {

class Later;

namespace detail {

class Hidden {};

}  // namespace detail

// What it does.
class MILLRACE_API Thing : public Base {
 public:
  static constexpr int limit{10};
  explicit Thing(int count) : Base({count}), count_{count} { work("}"); }
  // Says it.
  [[nodiscard]] int count() const noexcept { return count_; }
  void change(Options options = {});
  struct Part {
    int size = 0;
    std::vector<int> items = {};
  };

 private:
  int count_ = 0;  // {
};

inline int Thing::helper() {
  return 1;
}

enum class Colour : std::uint8_t { red, green };
using Names = std::vector<int>;

template <class T>
  requires(sizeof(T) >= 2)
class Numbers {
 public:
  void add(T number) { numbers_.push_back(number); }

 private:
  std::vector<T> numbers_;
};

[[nodiscard]] constexpr int answer() {
  return 42;
}

}  // namespace millrace::inline v1
'''

THING = '''class Thing : public Base {
 public:
  static constexpr int limit{10};
  explicit Thing(int count);
  // Says it.
  [[nodiscard]] int count() const noexcept;
  void change(Options options = {});
  struct Part {
    int size = 0;
    std::vector<int> items = {};
  };
};'''


class ReferenceTest(unittest.TestCase):

    def items(self):
        return {name: (comment, code) for name, comment, code in sdk_reference.items_of(HEADER)}

    def test_pages_are_what_the_headers_say(self):
        stale = [path.name for path in sdk_reference.stale_pages()]
        self.assertEqual(stale, [], "run tools/sdk_reference.py")

    def test_each_declaration_has_its_name(self):
        self.assertEqual(list(self.items()), ["Thing", "Colour, Names", "Numbers", "answer"])

    def test_bodies_and_what_is_private_are_left_out(self):
        self.maxDiff = None
        comment, code = self.items()["Thing"]
        self.assertEqual(comment, ["What it does."])
        self.assertEqual(code, THING)
        self.assertEqual(self.items()["answer"][1], "[[nodiscard]] constexpr int answer();")
        self.assertIn("  void add(T number);\n};", self.items()["Numbers"][1])

    def test_comments_become_text_and_code(self):
        text = sdk_reference.prose(sdk_reference.introduction(HEADER))
        self.assertEqual(text, "What it is: two lines of it. A Result\\<T>.\n\n      example(1);")

    def test_no_page_shows_what_is_inside(self):
        for name, text in sdk_reference.all_pages().items():
            self.assertNotRegex(text, r"MILLRACE_API|private:|Implementation|_;\n|;;", name)


if __name__ == "__main__":
    unittest.main()
