// millrace.protocol: every message at once, for tools and tests. Code that handles one API family
// imports that family's module, so that a changed schema does not compile it again.
export module millrace.protocol;

export import millrace.protocol.admin;
export import millrace.protocol.consumer;
export import millrace.protocol.fetch;
export import millrace.protocol.groups;
export import millrace.protocol.header;
export import millrace.protocol.metadata;
export import millrace.protocol.produce;
export import millrace.protocol.quotas;
export import millrace.protocol.records;
export import millrace.protocol.security;
export import millrace.protocol.share;
export import millrace.protocol.streams;
export import millrace.protocol.telemetry;
export import millrace.protocol.transactions;
