// millrace.config: the properties of servers and topics under Kafka's names: reading them, checking
// them, and reaching them by type. Start with :server (loading) and :typed (reading).
export module millrace.config;

export import :broker_registry;
export import :controller_registry;
export import :coordinator_registry;
export import :definition;
export import :document;
export import :foreign_registry;
export import :lexer;
export import :limits;
export import :load;
export import :log_registry;
export import :problem;
export import :properties;
export import :records_registry;
export import :references;
export import :server;
export import :store;
export import :suggest;
export import :topic_registry;
export import :typed;
export import :utf8;
export import :value;
