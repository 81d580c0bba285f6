// millrace.storage.cleaner: compaction, which keeps the last value of each key. A shard has one
// Cleaner.
export module millrace.storage.cleaner;

export import millrace.storage.log;
export import :batch_filter;
export import :checkpoint;
export import :cleaned_segment;
export import :grouping;
export import :key_mapper;
export import :key_offsets;
export import :lag;
export import :log_cleaner;
export import :pass;
export import :record_walk;
export import :throttle;
export import :transactions;
