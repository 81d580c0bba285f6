// millrace.broker.coordination: the broker's end of its coordinator. Start with gateway.cppm.
export module millrace.broker.coordination;

export import :gateway;
export import :group_access;
export import :metrics;
export import :requests;
export import :state_store;
