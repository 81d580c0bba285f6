// millrace.runtime: what a process stands on: shards and their coroutines, timers, files, memory
// budgets, the life of a process. epoll and liburing stay inside.
export module millrace.runtime;

export import millrace.base;
export import :event_loop;
export import :executor;
export import :file_system;
export import :random;
export import :simulated_contents;
export import :simulated_disk;
export import :simulated_executor;
export import :simulated_faults;
export import :simulated_file_system;
export import :simulated_tree;
export import :task;
export import :timer_heap;
