// millrace.broker.requests.configs: the settings of a broker and its topics while it runs.
export module millrace.broker.requests.configs;

export import :config_view;
export import :description;
