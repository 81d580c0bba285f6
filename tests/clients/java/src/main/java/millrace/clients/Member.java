package millrace.clients;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * BOOTSTRAP GROUP TOPIC STRATEGY INSTANCE SESSION_MS: a member of a group until SIGTERM. With the
 * strategy "consumer" the broker assigns, and says how long a session is.
 */
final class Member implements ConsumerRebalanceListener {
  private static final Map<String, Class<?>> STRATEGIES =
      Map.of(
          "range", RangeAssignor.class,
          "roundrobin", RoundRobinAssignor.class,
          "sticky", StickyAssignor.class,
          "cooperative-sticky", CooperativeStickyAssignor.class);

  private final TreeSet<Integer> owned = new TreeSet<>();
  private final KafkaConsumer<String, String> consumer;

  private Member(Map<String, Object> settings) {
    consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  static void run(String[] words) {
    String topic = words[2];
    String strategy = words[3];
    String instance = words[4];
    Map<String, Object> settings = Patience.settings(words[0]);
    settings.put("group.id", words[1]);
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false);
    settings.put("metadata.max.age.ms", 1000);
    if (strategy.equals("consumer")) {
      settings.put("group.protocol", "consumer");
    } else {
      settings.put("heartbeat.interval.ms", 500);
      settings.put("session.timeout.ms", Integer.parseInt(words[5]));
      settings.put("partition.assignment.strategy", List.of(STRATEGIES.get(strategy)));
    }
    if (!instance.isEmpty()) {
      settings.put("group.instance.id", instance);
    }
    new Member(settings).work(topic);
  }

  private void work(String topic) {
    Thread worker = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  consumer.wakeup();
                  try {
                    worker.join();
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                }));
    try {
      consumer.subscribe(List.of(topic), this);
      while (true) {
        var records = consumer.poll(Duration.ofMillis(200));
        for (var record : records) {
          System.out.printf(
              "record %d %d %s%n", record.partition(), record.offset(), record.value());
        }
        if (!records.isEmpty()) {
          commit();
        }
      }
    } catch (WakeupException e) {
      // Perhaps instead of a commit.
      commit();
      consumer.close();
      System.out.println("stopped");
    }
  }

  private void commit() {
    try {
      consumer.commitSync();
    } catch (CommitFailedException | RebalanceInProgressException e) {
      // The partitions have gone to somebody, who reads the records again.
      System.err.println(e.getMessage());
    }
  }

  private void print() {
    System.out.println(
        "assigned " + owned.stream().map(String::valueOf).collect(Collectors.joining(",")));
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    partitions.forEach(place -> owned.add(place.partition()));
    print();
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    partitions.forEach(place -> owned.remove(place.partition()));
    print();
  }
}
