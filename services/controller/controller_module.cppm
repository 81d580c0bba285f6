// millrace.controller: the process that keeps the cluster's metadata. Start with quorum.cppm.
export module millrace.controller;

export import millrace.ipc.rpc;
export import millrace.metadata.machine;
export import millrace.raft;
export import millrace.raft.store;
export import millrace.runtime.process;
export import :metrics;
export import :process;
export import :quorum;
export import :service;
export import :translation;
export import :wakeup;
