#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;

TEST(BatchFailure, sentence_names_the_record_and_the_cause) {
  EXPECT_EQ(sentence({BatchError::key_missing, 3, {}}),
            "record 3: a record of a compacted topic needs a key");
  const std::string text =
      sentence({BatchError::compressed_data_invalid, no_record_index, CompressionFault::truncated});
  EXPECT_NE(text.find(sentence(CompressionFault::truncated)), std::string::npos) << text;
}

TEST(BatchFailure, every_error_has_a_name_a_sentence_and_a_code_of_its_own) {
  std::set<std::string_view> names;
  std::set<std::string> sentences;
  constexpr int errors = static_cast<int>(BatchError::compression_failed) + 1;
  for (int number = 0; number < errors; ++number) {
    const auto error = static_cast<BatchError>(number);
    names.insert(name_of(error));
    sentences.insert(sentence({error, no_record_index, {}}));
    EXPECT_NE(kafka_error_code(error), 0) << name_of(error);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(errors));
  EXPECT_EQ(sentences.size(), static_cast<std::size_t>(errors));
}
