// Reads the text exposition format 0.0.4 as its specification tells it, for tests: written apart
// from the code that writes the format, strict where collectors are lenient.
#pragma once
#include <charconv>
#include <cstddef>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::telemetry::test {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  std::string value;
};

struct ParsedMetric {
  std::string help;
  std::string type;
  std::vector<Sample> samples;
};

using Labels = std::map<std::string, std::string>;

class ExpositionParser {
 public:
  // Throws std::runtime_error, with the line, when a rule of the format is broken.
  explicit ExpositionParser(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      line_ = text.substr(0, end);
      if (end == std::string_view::npos) broken("the last line has no end");
      text.remove_prefix(end + 1);
      rest_ = line_;
      if (line_.starts_with("# ")) {
        comment();
      } else {
        sample();
      }
    }
    for (const auto& [name, metric] : metrics_) {
      if (metric.samples.empty()) throw std::runtime_error("no sample of " + name);
      if (metric.type == "histogram") check_histogram(name, metric);
    }
  }

  const std::map<std::string, ParsedMetric>& metrics() const { return metrics_; }

  // The value of one sample; throws when it is not there.
  std::string value(const std::string& sample_name, const Labels& labels = {}) const {
    for (const auto& [name, metric] : metrics_) {
      for (const Sample& sample : metric.samples) {
        if (sample.name == sample_name && sample.labels == labels) return sample.value;
      }
    }
    throw std::runtime_error("no sample " + sample_name);
  }

 private:
  [[noreturn]] void broken(const std::string& rule) const {
    throw std::runtime_error(rule + ": " + std::string(line_));
  }
  void expect(std::string_view text) {
    if (!rest_.starts_with(text)) broken("expected '" + std::string(text) + "'");
    rest_.remove_prefix(text.size());
  }

  std::string name() {
    std::size_t length = 0;
    while (length < rest_.size() && (isalnum(rest_[length]) != 0 || rest_[length] == '_')) ++length;
    if (length == 0 || isdigit(rest_[0]) != 0) broken("expected a name");
    std::string taken(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return taken;
  }

  // Up to the quote that ends it, or to the end of the line.
  std::string unescaped(bool is_quoted) {
    std::string text;
    for (; !rest_.empty() && !(is_quoted && rest_[0] == '"'); rest_.remove_prefix(1)) {
      if (rest_[0] != '\\') {
        text += rest_[0];
        continue;
      }
      rest_.remove_prefix(1);
      if (rest_.empty()) broken("a backslash escapes nothing");
      if (rest_[0] == 'n') {
        text += '\n';
      } else if (rest_[0] == '\\' || (is_quoted && rest_[0] == '"')) {
        text += rest_[0];
      } else {
        broken("an escape that is not known");
      }
    }
    return text;
  }

  void comment() {
    expect("# ");
    const bool is_help = rest_.starts_with("HELP ");
    expect(is_help ? "HELP " : "TYPE ");
    const std::string metric = name();
    expect(" ");
    if (is_help) {
      if (!metrics_.try_emplace(metric).second) broken("a second HELP");
      metrics_[metric].help = unescaped(false);
      current_ = metric;
    } else {
      if (current_ != metric || !metrics_[metric].type.empty()) broken("a TYPE without its HELP");
      metrics_[metric].type = std::string(rest_);
      if (rest_ != "counter" && rest_ != "gauge" && rest_ != "histogram") broken("unknown type");
    }
  }

  void sample() {
    Sample sample;
    sample.name = name();
    if (rest_.starts_with("{")) {
      rest_.remove_prefix(1);
      for (bool more = true; more;) {
        const std::string label = name();
        expect("=\"");
        if (!sample.labels.try_emplace(label, unescaped(true)).second) broken("a label twice");
        expect("\"");
        more = rest_.starts_with(",");
        expect(more ? "," : "}");
      }
    }
    expect(" ");
    sample.value = std::string(rest_);
    double number = 0;
    const char* const end = sample.value.data() + sample.value.size();
    const auto parsed = std::from_chars(sample.value.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end) broken("not a number");
    ParsedMetric& metric = metrics_[current_];
    const std::string_view part =
        std::string_view(sample.name)
            .substr(sample.name.starts_with(current_) ? current_.size() : sample.name.size());
    const bool is_part = part == "_bucket" || part == "_sum" || part == "_count";
    if (metric.type == "histogram" ? !is_part : sample.name != current_) {
      broken("a sample outside its metric");
    }
    if (!seen_.emplace(sample.name, sample.labels).second) broken("a series twice");
    metric.samples.push_back(std::move(sample));
  }

  // Bounds rise, counts do not fall, the last bound is +Inf and its count is _count.
  static void check_histogram(const std::string& name, const ParsedMetric& metric) {
    std::map<Labels, std::vector<std::pair<std::string, std::string>>> buckets;
    std::map<Labels, std::string> counts;
    std::set<Labels> sums;
    for (const Sample& sample : metric.samples) {
      Labels labels = sample.labels;
      if (sample.name == name + "_bucket") {
        const std::string bound = labels.at("le");
        labels.erase("le");
        buckets[labels].emplace_back(bound, sample.value);
      } else if (sample.name == name + "_count") {
        counts[labels] = sample.value;
      } else {
        sums.insert(labels);
      }
    }
    if (buckets.size() != counts.size() || buckets.size() != sums.size()) {
      throw std::runtime_error("parts of a histogram are missing: " + name);
    }
    for (const auto& [labels, steps] : buckets) {
      for (std::size_t i = 1; i < steps.size(); ++i) {
        const bool is_last = i + 1 == steps.size();
        if ((is_last ? steps[i].first != "+Inf"
                     : std::stod(steps[i - 1].first) >= std::stod(steps[i].first)) ||
            std::stoull(steps[i - 1].second) > std::stoull(steps[i].second)) {
          throw std::runtime_error("buckets out of order: " + name);
        }
      }
      if (!counts.contains(labels) || !sums.contains(labels) ||
          counts[labels] != steps.back().second) {
        throw std::runtime_error("count and buckets disagree: " + name);
      }
    }
  }

  std::map<std::string, ParsedMetric> metrics_;
  std::set<std::pair<std::string, Labels>> seen_;
  std::string current_;
  std::string_view line_;
  std::string_view rest_;
};

}  // namespace millrace::telemetry::test
