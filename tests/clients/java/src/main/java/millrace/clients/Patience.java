package millrace.clients;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** How long the programs wait for what must happen, and settings with which the clients do too. */
final class Patience {
  static final Duration LIMIT = Duration.ofMinutes(3);

  private Patience() {}

  /** For consumers and administration. */
  static Map<String, Object> settings(String bootstrap) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("default.api.timeout.ms", (int) LIMIT.toMillis());
    return settings;
  }

  static Map<String, Object> ofProducer(String bootstrap, String codec) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("compression.type", codec);
    settings.put("max.block.ms", LIMIT.toMillis());
    settings.put("delivery.timeout.ms", (int) LIMIT.toMillis());
    return settings;
  }
}
