// millrace.protocol.compression: Kafka's codecs, each with the framing that all Kafka clients read.
// A Compressor and a Decompressor hold the libraries' state and are reused from batch to batch.
export module millrace.protocol.compression;

export import :codec;
export import :compressor;
export import :decompressor;
export import :failure;
