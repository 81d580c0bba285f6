// millrace.broker.requests: what is answered to requests, and by whom. Start with :dispatcher.
export module millrace.broker.requests;

export import millrace.broker.requests.configs;
export import millrace.broker.requests.lookups;
export import millrace.broker.requests.ports;
export import :api_rules;
export import :api_versions;
export import :config_answers;
export import :dispatcher;
export import :forwarding;
export import :producer_ids;
export import :surroundings;
export import :topic_creation;
