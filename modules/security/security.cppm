// millrace.security: who a peer is, what it may do and how much: sessions, authentication,
// authorisation, quotas. Start with :session.
export module millrace.security;

export import :authentication;
export import :authorizer;
export import :quotas;
export import :session;
