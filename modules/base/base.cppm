// millrace.base: the vocabulary that every other module speaks. It knows nothing of Kafka's
// messages and starts no thread. Each part is one file; importing millrace.base brings them all.
export module millrace.base;

export import :buffer_pool;
export import :bytes;
export import :clock;
export import :crc32c;
export import :format;
export import :limits;
export import :log;
export import :result;
export import :types;
export import :utf8;
export import :varint;
