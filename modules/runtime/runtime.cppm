// millrace.runtime: what a process stands on: shards and their coroutines, timers, files, memory
// budgets, the life of a process. Asio and liburing stay inside.
export module millrace.runtime;

export import millrace.base;
export import :executor;
export import :file_system;
export import :task;
