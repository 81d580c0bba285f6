// millrace.base: the vocabulary that every other module speaks. It knows nothing of Kafka's
// messages, of threads or of files. Each part is one file; importing millrace.base brings them all.
export module millrace.base;

export import :bytes;
export import :crc32c;
export import :limits;
export import :result;
export import :types;
export import :varint;
