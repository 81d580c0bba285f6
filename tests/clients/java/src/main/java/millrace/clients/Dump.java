package millrace.clients;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** BOOTSTRAP: prints the ends and every record of every partition, internal topics included. */
final class Dump {
  private static final HexFormat HEX = HexFormat.of();

  private Dump() {}

  static void run(String bootstrap) throws Exception {
    Map<String, Object> settings = Patience.settings(bootstrap);
    List<TopicPartition> places = new ArrayList<>();
    try (Admin admin = Admin.create(settings)) {
      var topics = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
      for (var topic : admin.describeTopics(topics).allTopicNames().get().values()) {
        topic
            .partitions()
            .forEach(found -> places.add(new TopicPartition(topic.name(), found.partition())));
      }
    }
    places.sort(
        Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
    try (var consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      Map<TopicPartition, Long> first = consumer.beginningOffsets(places);
      Map<TopicPartition, Long> end = consumer.endOffsets(places);
      consumer.assign(places);
      consumer.seekToBeginning(places);
      List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
      while (places.stream().anyMatch(place -> consumer.position(place) < end.get(place))) {
        consumer.poll(Duration.ofMillis(200)).forEach(found::add);
      }
      for (TopicPartition place : places) {
        if (end.get(place) > 0) {
          System.out.printf("partition %s %d %d%n", place, first.get(place), end.get(place));
        }
      }
      found.sort(
          Comparator.comparing((ConsumerRecord<byte[], byte[]> record) -> record.topic())
              .thenComparing(record -> record.partition())
              .thenComparing(record -> record.offset()));
      found.forEach(Dump::print);
    }
  }

  private static void print(ConsumerRecord<byte[], byte[]> record) {
    System.out.printf(
        "record %s-%d %d %s %d %s %s %s%n",
        record.topic(),
        record.partition(),
        record.offset(),
        record.timestampType(),
        record.timestamp(),
        hex(record.key()),
        hex(record.value()),
        Arrays.stream(record.headers().toArray())
            .map(header -> header.key() + ":" + hex(header.value()))
            .collect(Collectors.joining(",")));
  }

  private static String hex(byte[] bytes) {
    return bytes == null ? "null" : "'" + HEX.formatHex(bytes) + "'";
  }
}
