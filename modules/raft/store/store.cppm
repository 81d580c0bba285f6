// millrace.raft.store: the durable log of a raft node: segments, snapshots, hard state.
export module millrace.raft.store;

export import millrace.base;
export import millrace.raft;
export import millrace.runtime;
export import millrace.storage.files;
export import :durable_log;
export import :format;
export import :replay;
export import :reserve;
export import :snapshot_file;
