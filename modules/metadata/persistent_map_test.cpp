#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.metadata;
import millrace.runtime;

namespace millrace::metadata {
namespace {

using Map = PersistentMap<int, std::string>;

std::map<int, std::string> contents(const Map& map) {
  std::map<int, std::string> all;
  int last = -1;
  map.for_each([&](int key, const std::string& value) {
    EXPECT_LT(last, key);
    last = key;
    all.emplace(key, value);
  });
  return all;
}

TEST(PersistentMap, an_older_version_stays_as_it_was) {
  const Map empty;
  const Map one = empty.with(1, "a");
  const Map two = one.with(1, "b").with(2, "c");
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(contents(one), (std::map<int, std::string>{{1, "a"}}));
  EXPECT_EQ(contents(two), (std::map<int, std::string>{{1, "b"}, {2, "c"}}));
  EXPECT_EQ(contents(two.without(1)), (std::map<int, std::string>{{2, "c"}}));
  EXPECT_EQ(two.without(9).size(), 2u);
}

TEST(PersistentMap, behaves_as_a_map_under_random_changes_in_all_its_versions) {
  Random random(7);
  std::vector<std::pair<Map, std::map<int, std::string>>> versions(1);
  for (int i = 0; i < 3000; ++i) {
    auto [map, model] = versions[random.below(versions.size())];
    const int key = static_cast<int>(random.below(200));
    if (random.chance(0.6)) {
      map = map.with(key, std::to_string(i));
      model[key] = std::to_string(i);
    } else {
      map = map.without(key);
      model.erase(key);
    }
    ASSERT_EQ(map.size(), model.size());
    const std::string* found = map.find(key);
    ASSERT_EQ(found != nullptr, model.contains(key));
    if (versions.size() < 30) {
      versions.emplace_back(map, model);
    } else {
      versions[random.below(versions.size())] = {map, model};
    }
  }
  for (const auto& [map, model] : versions) EXPECT_EQ(contents(map), model);
}

TEST(PersistentMap, keys_that_come_in_order_make_no_long_path) {
  Map map;
  for (int i = 0; i < 100'000; ++i) map = map.with(i, "x");
  // A path as long as the map would end the process by its recursion, or take for ever.
  for (int i = 0; i < 100'000; i += 2) map = map.without(i);
  EXPECT_EQ(map.size(), 50'000u);
}

}  // namespace
}  // namespace millrace::metadata
