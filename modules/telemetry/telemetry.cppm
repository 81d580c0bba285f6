// millrace.telemetry: what a process counts and measures about itself, and the text that Prometheus
// reads. Start with :registry, then :handles.
export module millrace.telemetry;

export import :budget_meter;
export import :distribution;
export import :exposition;
export import :handles;
export import :limits;
export import :process;
export import :registry;
export import :scale;
export import :stall_meter;
