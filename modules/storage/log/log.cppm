// millrace.storage.log: the log of one partition: appending, reading, cutting and recovering it.
export module millrace.storage.log;

export import millrace.runtime;
export import millrace.storage.producers;
export import millrace.storage.segment;
export import :append;
export import :config;
export import :deletions;
export import :keeper;
export import :partition_log;
export import :position_cache;
export import :tail;
