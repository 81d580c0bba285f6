// millrace.metadata.machine: what the controller decides about the cluster. Start with
// machine.cppm.
export module millrace.metadata.machine;

export import millrace.config;
export import millrace.metadata;
export import :effects;
export import :election;
export import :machine;
export import :options;
export import :placement;
export import :requests;
export import :sessions;
export import :settings;
export import :topic_names;
