// millrace.storage.index: the indexes of a segment in Kafka's formats. Views look things up,
// wherever the bytes lie; GrowingIndex is what the active segment writes. No files are touched
// here.
export module millrace.storage.index;

export import millrace.base;
export import :growing_index;
export import :offset_index;
export import :time_index;
export import :transaction_index;
