module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

module millrace.storage.dump;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchView;
using protocol::RecordView;
using protocol::TimestampType;

namespace {

std::string_view codec_name(const BatchHeader& header) {
  const auto codec = header.attributes.codec();
  return codec ? protocol::name_of(*codec) : "unknown";
}

// The topic of the partition in whose directory the file lies.
RecordDecoder decoder_of_path(std::string_view path) {
  path = path.substr(0, path.find_last_of('/'));
  const auto slash = path.find_last_of('/');
  const auto name = parse_partition_directory_name(
      slash == std::string_view::npos ? path : path.substr(slash + 1));
  return name ? decoder_of_topic(name->partition.topic) : RecordDecoder::none;
}

}  // namespace

bool Dumper::wants(const BatchHeader& header) const {
  return header.last_offset() >= options_.from &&
         (!options_.to || header.base_offset < *options_.to);
}

Task<StorageResult<void>> Dumper::log(FileHandle file, std::string path, std::uint64_t bytes) {
  const RecordDecoder decoder = options_.decoder.value_or(
      options_.decode_internal_topics ? decoder_of_path(path) : RecordDecoder::none);
  LogWalk walk(context_.files, context_.buffers, file, path, bytes);
  while (printer_.wanted()) {
    const auto more = co_await walk.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = walk.next()) {
      if (!wants(scanned->batch.header())) continue;
      batch(*scanned);
      if (options_.records) records(scanned->batch, scanned->position, decoder);
      if (!printer_.wanted()) break;
    }
    if (const auto gap = walk.take_gap()) {
      problem(gap->position, gap->bytes,
              gap->all_zeros ? std::string("only zeros") : "no batch: " + gap->reason);
    }
    co_await yield(context_.executor);
  }
  co_return StorageResult<void>();
}

void Dumper::batch(const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  ++totals_.batches;
  printer_.begin("batch");
  printer_.field("position", scanned.position);
  printer_.field("bytes", header.size_bytes());
  printer_.field("base_offset", header.base_offset);
  printer_.field("last_offset", header.last_offset());
  printer_.field("records", header.record_count);
  printer_.field("leader_epoch", header.leader_epoch);
  printer_.field("codec", codec_name(header));
  const bool append_time = header.attributes.timestamp_type() == TimestampType::log_append_time;
  printer_.field("timestamp_type", append_time ? "log_append_time" : "create_time");
  printer_.field(header.attributes.has_delete_horizon() ? "delete_horizon" : "base_timestamp",
                 header.base_timestamp);
  printer_.field("max_timestamp", header.max_timestamp);
  printer_.field("producer_id", header.producer.id);
  printer_.field("producer_epoch", header.producer.epoch);
  printer_.field("base_sequence", header.producer.base_sequence);
  printer_.field("last_sequence", header.last_sequence());
  printer_.field("transactional", header.attributes.is_transactional());
  printer_.field("control", header.attributes.is_control());
  printer_.field("crc", header.crc);
  const bool valid = scanned.batch.crc_matches();
  printer_.field("crc_valid", valid);
  printer_.end();
  if (!valid) {
    problem(scanned.position, header.size_bytes(),
            "the CRC of the batch is " +
                std::to_string(protocol::compute_batch_crc(scanned.batch.bytes())));
  }
}

void Dumper::records(const BatchView& batch, std::uint64_t position, RecordDecoder decoder) {
  protocol::RecordReader reader(context_.decompressor);
  const auto opened = reader.open(batch);
  if (!opened) {
    problem(position, batch.bytes().size(), protocol::sentence(opened.error()));
    return;
  }
  for (RecordView read; reader.next(read);) {
    record(batch, read, decoder);
    if (!printer_.wanted()) return;
  }
  if (const auto finished = reader.finish(); !finished) {
    problem(position, batch.bytes().size(), protocol::sentence(finished.error()));
  }
}

void Dumper::record(const BatchView& batch, const RecordView& record, RecordDecoder decoder) {
  ++totals_.records;
  printer_.begin("record", 1);
  printer_.field("offset", record.offset);
  printer_.field("timestamp", record.timestamp);
  const auto sequence = batch.header().producer.base_sequence;
  if (sequence != no_sequence) {
    printer_.field("sequence", (static_cast<std::uint32_t>(sequence.value()) +
                                static_cast<std::uint32_t>(record.offset_delta)) &
                                   0x7fff'ffffu);
  }
  if (batch.header().attributes.is_control()) {
    control_record(record);
  } else if (options_.payloads) {
    const auto key = decode_record_key(decoder, record.key);
    const auto value = decode_record_value(decoder, record.key, record.value);
    if (key) printer_.raw_field("decoded_key", *key);
    if (value) printer_.raw_field("decoded_value", *value);
    if (!key) printer_.payload("key", record.key);
    if (!value) printer_.payload("value", record.value);
    if (!record.headers.empty()) headers(record.headers);
  }
  printer_.end();
}

void Dumper::control_record(const RecordView& record) {
  const auto key = protocol::read_control_record_key(record.key);
  if (!key || !key->is_known()) {
    if (!options_.payloads) return;
    printer_.payload("control_key", record.key);
    printer_.payload("value", record.value);
    return;
  }
  constexpr std::string_view names[] = {"abort",           "commit",          "leader_change",
                                        "snapshot_header", "snapshot_footer", "kraft_version",
                                        "kraft_voters"};
  printer_.field("control", names[static_cast<std::size_t>(key->type)]);
  if (const auto value = decode_control_value(key->type, record.value)) {
    printer_.raw_field("decoded_value", *value);
  } else if (options_.payloads) {
    printer_.payload("value", record.value);
  }
}

void Dumper::headers(const protocol::RecordHeaders& headers) {
  printer_.open_list("headers");
  for (const protocol::RecordHeader& header : headers) {
    printer_.open_group();
    printer_.payload("key", as_bytes(header.key));
    printer_.payload("value", header.value);
    printer_.close_group();
  }
  printer_.close_list();
}

}  // namespace millrace::storage
