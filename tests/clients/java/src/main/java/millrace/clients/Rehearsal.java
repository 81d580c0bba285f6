package millrace.clients;

import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Time;

/**
 * DIRECTORY PORT CONTROLLER_PORT: a node of Apache Kafka, and what clients ask of it. Whatever it
 * loads goes into the archive of classes with which all programs start in half the time.
 */
final class Rehearsal {
  private static final List<String> TOOLS =
      List.of(
          "org.apache.kafka.tools.ConsoleProducer",
          "org.apache.kafka.tools.DumpLogSegments",
          "org.apache.kafka.tools.TopicCommand",
          "org.apache.kafka.tools.consumer.ConsoleConsumer",
          "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
          "kafka.Kafka");

  private Rehearsal() {}

  static void run(String directory, String port, String controllerPort) throws Exception {
    String bootstrap = "127.0.0.1:" + port;
    Path file = Path.of(directory, "server.properties");
    Files.writeString(
        file,
        String.join(
            "\n",
            "process.roles=broker,controller",
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:" + controllerPort,
            "controller.listener.names=CONTROLLER",
            "listeners=PLAINTEXT://" + bootstrap + ",CONTROLLER://127.0.0.1:" + controllerPort,
            "log.dirs=" + directory + "/logs",
            "group.initial.rebalance.delay.ms=0",
            "offsets.topic.num.partitions=1",
            "offsets.topic.replication.factor=1"));
    String[] format = {"format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", file.toString()};
    if (StorageTool.execute(format, new PrintStream(PrintStream.nullOutputStream())) != 0) {
      throw new IllegalStateException("the directory cannot be formatted");
    }
    var properties = new java.util.Properties();
    try (var reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    }
    var server = new KafkaRaftServer(new KafkaConfig(properties, false), Time.SYSTEM);
    server.startup();
    try {
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        Produce.run(bootstrap, "rehearsed", codec, 10);
      }
      consume(bootstrap);
      administer(bootstrap);
      for (String tool : TOOLS) {
        Class.forName(tool);
      }
    } finally {
      server.shutdown();
      server.awaitShutdown();
    }
  }

  private static void administer(String bootstrap) throws Exception {
    try {
      Administer.run(bootstrap, "administered", "group");
    } catch (AssertionError error) {
      // What it checks holds for brokers that are tested: this one may have removed old records.
      System.out.println("not as with Millrace: " + error.getMessage());
    }
  }

  private static void consume(String bootstrap) {
    Map<String, Object> settings = Patience.settings(bootstrap);
    settings.put("group.id", "group-of-one");
    settings.put("auto.offset.reset", "earliest");
    try (var consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of("rehearsed"));
      while (consumer.poll(Duration.ofMillis(200)).isEmpty()) {}
      consumer.commitSync();
    }
  }
}
