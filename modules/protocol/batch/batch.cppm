// millrace.protocol.batch: Kafka's record batch, format v2: read, checked, built and rewritten in
// place. Readers start at BatchSplitter and RecordReader, a broker at validate_batch, producers at
// BatchBuilder.
export module millrace.protocol.batch;

export import millrace.base;
export import millrace.protocol.compression;
export import :builder;
export import :control;
export import :failure;
export import :header;
export import :reader;
export import :record;
export import :rewrite;
export import :storage;
export import :validation;
