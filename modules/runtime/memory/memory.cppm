// millrace.runtime.memory: budgets of memory that all shards of a process share.
export module millrace.runtime.memory;

export import millrace.runtime;
export import millrace.telemetry;
export import :budget;
export import :plan;
