// What segments and logs stand on.
module;
#include <cstdint>

export module millrace.storage.segment:context;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import :index_cache;
import :open_files;

export namespace millrace::storage {

// What all segments of a shard share; they outlive the segments and live on the shard's thread.
struct SegmentContext {
  Executor& executor;
  FileSystem& files;
  OpenFiles& open_files;
  IndexCache& index_cache;
  BufferPool& buffers;
  // For looking into compressed batches, one at a time.
  protocol::Decompressor& decompressor;
  Logger log;
};

}  // namespace millrace::storage
