// millrace.cli: the program `millrace`.
export module millrace.cli;

export import millrace.base;
export import :arguments;
export import :child;
export import :cluster_plan;
export import :data_directory;
export import :kafka_probe;
export import :local;
export import :log_commands;
export import :log_lines;
export import :supervisor;
