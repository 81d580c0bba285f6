// millrace.coordinator: the process that coordinates the groups whose state its broker leads. Start
// with service.cppm.
export module millrace.coordinator;

export import :metrics;
export import :options;
export import :service;
export import :session;
export import :state_partition;
