// millrace.client.consumer.groups: what a member of a consumer group decides: it is told events and
// the time, and says what to do. Start with member.cppm.
export module millrace.client.consumer.groups;

export import :assignor;
export import :consumer_protocol;
export import :member;
export import :types;
