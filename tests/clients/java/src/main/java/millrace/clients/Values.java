package millrace.clients;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** BOOTSTRAP TOPIC ISOLATION: prints each value up to the end that there is now, a line each. */
final class Values {
  private Values() {}

  static void run(String bootstrap, String topic, String isolation) {
    Map<String, Object> settings = Patience.settings(bootstrap);
    settings.put("isolation.level", isolation);
    try (var consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      List<TopicPartition> places =
          consumer.partitionsFor(topic).stream()
              .map(found -> new TopicPartition(topic, found.partition()))
              .toList();
      Map<TopicPartition, Long> end = consumer.endOffsets(places);
      consumer.assign(places);
      consumer.seekToBeginning(places);
      var lines = new StringBuilder();
      while (places.stream().anyMatch(place -> consumer.position(place) < end.get(place))) {
        consumer
            .poll(Duration.ofMillis(200))
            .forEach(record -> lines.append(record.value()).append('\n'));
      }
      System.out.print(lines);
    }
  }
}
