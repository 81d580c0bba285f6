// millrace.groups: the groups of consumers of one state partition. It decides; what it decides is
// carried out by others. Start with coordinator.cppm.
export module millrace.groups;

export import :coordinator;
export import :effects;
export import :group;
export import :limits;
export import :member;
export import :offsets;
export import :options;
export import :records;
export import :requests;
export import :timers;
export import :types;
