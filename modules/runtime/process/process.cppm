// millrace.runtime.process: the life of a service's process, from its command line to its exit
// code.
export module millrace.runtime.process;

export import millrace.config;
export import millrace.runtime.shard;
export import :command_line;
export import :lifecycle;
export import :metrics_server;
export import :notifier;
export import :signal_thread;
