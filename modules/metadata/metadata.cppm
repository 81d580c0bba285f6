// millrace.metadata: what a cluster is made of, how it changes, and what the controller decides
// about it. Start with image.cppm.
export module millrace.metadata;

export import :builder;
export import :image;
export import :limits;
export import :persistent_map;
export import :records;
export import :snapshot;
export import :types;
