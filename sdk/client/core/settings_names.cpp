module;
#include <span>

module millrace.client.core;

import :settings_reader;

namespace millrace::client {
namespace {

constexpr UnsupportedName everywhere[] = {
    {"config.providers", "", true},
    {"enable.metrics.push", "false", true},
    {"metric.reporters", "", true},
    {"metrics.num.samples", "", false},
    {"metrics.recording.level", "", false},
    {"metrics.sample.window.ms", "", false},
    {"sasl.client.callback.handler.class", "", false},
    {"sasl.jaas.config", "", false},
    {"sasl.kerberos.kinit.cmd", "", false},
    {"sasl.kerberos.min.time.before.relogin", "", false},
    {"sasl.kerberos.service.name", "", false},
    {"sasl.kerberos.ticket.renew.jitter", "", false},
    {"sasl.kerberos.ticket.renew.window.factor", "", false},
    {"sasl.login.callback.handler.class", "", false},
    {"sasl.login.class", "", false},
    {"sasl.login.connect.timeout.ms", "", false},
    {"sasl.login.read.timeout.ms", "", false},
    {"sasl.login.refresh.buffer.seconds", "", false},
    {"sasl.login.refresh.min.period.seconds", "", false},
    {"sasl.login.refresh.window.factor", "", false},
    {"sasl.login.refresh.window.jitter", "", false},
    {"sasl.login.retry.backoff.max.ms", "", false},
    {"sasl.login.retry.backoff.ms", "", false},
    {"sasl.mechanism", "", false},
    {"sasl.oauthbearer.assertion.algorithm", "", false},
    {"sasl.oauthbearer.assertion.claim.aud", "", false},
    {"sasl.oauthbearer.assertion.claim.exp.seconds", "", false},
    {"sasl.oauthbearer.assertion.claim.iss", "", false},
    {"sasl.oauthbearer.assertion.claim.jti.include", "", false},
    {"sasl.oauthbearer.assertion.claim.nbf.seconds", "", false},
    {"sasl.oauthbearer.assertion.claim.sub", "", false},
    {"sasl.oauthbearer.assertion.file", "", false},
    {"sasl.oauthbearer.assertion.private.key.file", "", false},
    {"sasl.oauthbearer.assertion.private.key.passphrase", "", false},
    {"sasl.oauthbearer.assertion.template.file", "", false},
    {"sasl.oauthbearer.client.credentials.client.id", "", false},
    {"sasl.oauthbearer.client.credentials.client.secret", "", false},
    {"sasl.oauthbearer.clock.skew.seconds", "", false},
    {"sasl.oauthbearer.expected.audience", "", false},
    {"sasl.oauthbearer.expected.issuer", "", false},
    {"sasl.oauthbearer.header.urlencode", "", false},
    {"sasl.oauthbearer.jwks.endpoint.refresh.ms", "", false},
    {"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "", false},
    {"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "", false},
    {"sasl.oauthbearer.jwks.endpoint.url", "", false},
    {"sasl.oauthbearer.jwt.retriever.class", "", false},
    {"sasl.oauthbearer.jwt.validator.class", "", false},
    {"sasl.oauthbearer.scope", "", false},
    {"sasl.oauthbearer.scope.claim.name", "", false},
    {"sasl.oauthbearer.sub.claim.name", "", false},
    {"sasl.oauthbearer.token.endpoint.url", "", false},
    {"security.protocol", "PLAINTEXT", true},
    {"security.providers", "", false},
    {"ssl.cipher.suites", "", false},
    {"ssl.enabled.protocols", "", false},
    {"ssl.endpoint.identification.algorithm", "", false},
    {"ssl.engine.factory.class", "", false},
    {"ssl.key.password", "", false},
    {"ssl.keymanager.algorithm", "", false},
    {"ssl.keystore.certificate.chain", "", false},
    {"ssl.keystore.key", "", false},
    {"ssl.keystore.location", "", false},
    {"ssl.keystore.password", "", false},
    {"ssl.keystore.type", "", false},
    {"ssl.protocol", "", false},
    {"ssl.provider", "", false},
    {"ssl.secure.random.implementation", "", false},
    {"ssl.trustmanager.algorithm", "", false},
    {"ssl.truststore.certificates", "", false},
    {"ssl.truststore.location", "", false},
    {"ssl.truststore.password", "", false},
    {"ssl.truststore.type", "", false},
};

constexpr UnsupportedName of_producers[] = {
    {"interceptor.classes", "", true},
    {"key.serializer", "", false},
    {"transaction.two.phase.commit.enable", "false", true},
    {"value.serializer", "", false},
};

constexpr UnsupportedName of_consumers[] = {
    {"interceptor.classes", "", true},
    {"internal.throw.on.fetch.stable.offset.unsupported", "false", true},
    {"key.deserializer", "", false},
    {"share.acknowledgement.mode", "implicit", true},
    {"share.acquire.mode", "batch_optimized", true},
    {"value.deserializer", "", false},
};

}  // namespace

std::span<const UnsupportedName> unsupported_everywhere() {
  return everywhere;
}
std::span<const UnsupportedName> unsupported_of_producers() {
  return of_producers;
}
std::span<const UnsupportedName> unsupported_of_consumers() {
  return of_consumers;
}

}  // namespace millrace::client
