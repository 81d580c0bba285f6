// millrace.storage.manager: the log directories of a server, and the logs of its shards.
export module millrace.storage.manager;

export import millrace.storage.cleaner;
export import millrace.storage.log;
export import millrace.telemetry;
export import :checkpoints;
export import :coalesced;
export import :crossing;
export import :log_directories;
export import :log_directory;
export import :log_manager;
export import :metrics;
export import :options;
export import :removals;
export import :scrubber;
export import :shard_crossing;
export import :space;
export import :ticker;
export import :turns;
