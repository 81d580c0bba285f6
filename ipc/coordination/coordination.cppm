// millrace.ipc.coordination: what a broker and the coordinator of its groups say to one another
// over a channel. Start with messages.cppm.
export module millrace.ipc.coordination;

export import :alarm;
export import :codec;
export import :limits;
export import :messages;
export import :outbound;
