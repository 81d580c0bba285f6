// millrace.storage.cleaner: compaction, which keeps the last value of each key.
export module millrace.storage.cleaner;

export import millrace.storage.index;
export import millrace.storage.producers;
export import :batch_filter;
export import :key_mapper;
export import :key_offsets;
export import :record_walk;
export import :transactions;
