// Prints "GROUP NAME TAG,TAG" for each metric of Kafka's clients of each kind that have worked:
// java Metrics.java BOOTSTRAP, with kafka-clients on the class path. Topic "metrics" is made.
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

public class Metrics {
  static final Set<String> lines = new TreeSet<>();

  static void add(Collection<MetricName> names) {
    for (MetricName name : names)
      lines.add(name.group() + " " + name.name() + " "
          + String.join(",", new TreeSet<>(name.tags().keySet())));
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", arguments[0]);
    config.put("group.id", "metrics");
    config.put("auto.offset.reset", "earliest");
    config.put("group.protocol", "classic");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
      admin.createTopics(List.of(new NewTopic("metrics", 1, (short) 1))).all().get();
      add(admin.metrics().keySet());
    }
    try (Producer<String, String> producer =
            new KafkaProducer<>(Map.of("bootstrap.servers", arguments[0]),
                new StringSerializer(), new StringSerializer())) {
      producer.send(new ProducerRecord<>("metrics", "x")).get();
      add(producer.metrics().keySet());
    }
    try (Consumer<String, String> consumer =
            new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of("metrics"));
      while (consumer.poll(Duration.ofMillis(100)).isEmpty()) {}
      consumer.commitSync();
      consumer.poll(Duration.ofMillis(100));
      add(consumer.metrics().keySet());
    }
    lines.forEach(System.out::println);
  }
}
