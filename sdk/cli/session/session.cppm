// millrace.cli.session: what commands that reach a cluster have in common.
export module millrace.cli.session;

export import :client_session;
export import :failures;
export import :places;
export import :profiles;
export import :terminal;
export import :times;
