// millrace.client.consumer.groups: what a member of a consumer group decides: it is told events and
// the time, and says what to do. Start with group_member.cppm.
export module millrace.client.consumer.groups;

export import :assignor;
export import :consumer_protocol;
export import :group_member;
export import :managed_member;
export import :classic_member;
export import :types;
