// millrace.raft: consensus on a log of entries, after the Raft dissertation. It decides; what it
// decides is carried out by others. Start with node.cppm.
export module millrace.raft;

export import :events;
export import :log;
export import :membership;
export import :message;
export import :node;
export import :options;
export import :persistence;
export import :progress;
export import :reads;
export import :types;
