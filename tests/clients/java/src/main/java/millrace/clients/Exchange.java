package millrace.clients;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes and reads records byte for byte. README.md of tests/clients/sdk shows the lines. */
final class Exchange {
  private static final HexFormat HEX = HexFormat.of();

  private Exchange() {}

  static void run(String[] words) throws Exception {
    switch (words[0]) {
      case "write" -> write(words[1], words[2], words[3]);
      case "read" ->
          read(
              words[1],
              Integer.parseInt(words[2]),
              Integer.parseInt(words[3]),
              Arrays.asList(words).subList(4, words.length));
      case "partitions" -> partitions(Integer.parseInt(words[1]));
      default -> throw new IllegalArgumentException(words[0]);
    }
  }

  private static BufferedReader input() {
    return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
  }

  private static byte[] bytes(String word) {
    return word.equals("-") ? null : HEX.parseHex(word.substring(1));
  }

  private static String word(byte[] bytes) {
    return bytes == null ? "-" : "x" + HEX.formatHex(bytes);
  }

  /** The partition of each key, as the producer chooses it. */
  private static void partitions(int count) {
    input()
        .lines()
        .forEach(key -> System.out.println(BuiltInPartitioner.partitionForKey(bytes(key), count)));
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, String line) {
    String[] words = line.split(" ");
    int partition = Integer.parseInt(words[0]);
    RecordHeaders headers = new RecordHeaders();
    if (!words[4].equals(".")) {
      for (String header : words[4].split(",")) {
        String[] pair = header.split("=");
        headers.add(new String(bytes(pair[0]), StandardCharsets.UTF_8), bytes(pair[1]));
      }
    }
    return new ProducerRecord<>(
        topic,
        partition < 0 ? null : partition,
        Long.parseLong(words[1]),
        bytes(words[2]),
        bytes(words[3]),
        headers);
  }

  private static void write(String bootstrap, String topic, String codec) throws Exception {
    Map<String, Object> settings = Patience.ofProducer(bootstrap, codec);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (var producer =
        new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String line : input().lines().toList()) {
        sent.add(producer.send(record(topic, line)));
      }
      for (var future : sent) {
        future.get();
      }
    }
  }

  private static String words(ConsumerRecord<byte[], byte[]> record) {
    String headers =
        StreamSupport.stream(record.headers().spliterator(), false)
            .map(Exchange::words)
            .collect(Collectors.joining(","));
    return String.join(
        " ",
        record.topic(),
        String.valueOf(record.partition()),
        String.valueOf(record.offset()),
        String.valueOf(record.timestamp()),
        word(record.key()),
        word(record.value()),
        headers.isEmpty() ? "." : headers);
  }

  private static String words(Header header) {
    return word(header.key().getBytes(StandardCharsets.UTF_8)) + "=" + word(header.value());
  }

  private static void read(String bootstrap, int count, int partitions, List<String> topics) {
    List<TopicPartition> all = new ArrayList<>();
    for (String topic : topics) {
      for (int i = 0; i < partitions; i++) {
        all.add(new TopicPartition(topic, i));
      }
    }
    Map<String, Object> settings = Patience.settings(bootstrap);
    PrintStream output = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
    try (var consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(all);
      consumer.seekToBeginning(all);
      for (int read = 0; read < count * topics.size(); ) {
        var records = consumer.poll(Patience.LIMIT);
        if (records.isEmpty()) {
          throw new IllegalStateException("nothing comes after " + read + " records");
        }
        records.forEach(record -> output.println(words(record)));
        read += records.count();
      }
    }
    output.flush();
  }
}
