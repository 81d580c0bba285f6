// millrace.ipc.coordination.requests: Kafka's group requests of all versions, taken apart into
// questions about single groups, and their answers. Start with group_call.cppm.
export module millrace.ipc.coordination.requests;

export import :group_call;
