package millrace.golden;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Producers of the node, and the records that they send: the same whenever this runs. */
final class Cluster {
    private static final long FIRST_TIMESTAMP = 1_700_000_000_000L;

    private final String bootstrap;
    private int records;

    Cluster(String bootstrap, int firstRecord) {
        this.bootstrap = bootstrap;
        this.records = firstRecord;
    }

    String bootstrap() {
        return bootstrap;
    }

    /** Sends nothing before flush(): each flush is one batch for each partition. */
    KafkaProducer<byte[], byte[]> producer(String... settings) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("acks", "all");
        config.put("linger.ms", "60000");
        config.put("delivery.timeout.ms", "120000");
        config.put("batch.size", "100000");
        config.put("transaction.timeout.ms", "900000");
        for (int i = 0; i < settings.length; i += 2) {
            config.put(settings[i], settings[i + 1]);
        }
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaProducer<byte[], byte[]> transactional(String id) {
        KafkaProducer<byte[], byte[]> producer = producer("transactional.id", id);
        producer.initTransactions();
        return producer;
    }

    /** A batch of records of every kind: null and empty keys and values, headers. */
    void batch(KafkaProducer<byte[], byte[]> producer, String topic, int partition, int count) {
        for (int i = 0; i < count; i++) {
            int number = records++;
            String key = number % 5 == 0 ? null : number % 5 == 1 ? "" : "key-" + number % 17;
            String value = number % 11 == 3 ? null : number % 11 == 4 ? "" : text(number);
            List<Header> headers = new ArrayList<>();
            for (int h = 0; h < number % 7 - 3; h++) {
                byte[] content = h == 1 ? null : bytes("value \u00fc " + number);
                headers.add(new RecordHeader("header-" + h, content));
            }
            producer.send(new ProducerRecord<>(
                    topic, partition, timestamp(number), bytes(key), bytes(value), headers));
        }
        producer.flush();
    }

    /** A batch with these keys, for compacted topics; a value of null is a tombstone. */
    void keyed(KafkaProducer<byte[], byte[]> producer, String topic, String value, String... keys) {
        for (String key : keys) {
            int number = records++;
            String text = value == null ? null : value + " of " + key + ", record " + number;
            producer.send(new ProducerRecord<>(
                    topic, 0, timestamp(number), bytes(key), bytes(text), List.of()));
        }
        producer.flush();
    }

    /** Leaves an open transaction open. */
    static void abandon(KafkaProducer<byte[], byte[]> producer) {
        producer.close(Duration.ZERO);
    }

    /** Not quite in order, as clocks are. */
    private static long timestamp(int number) {
        return FIRST_TIMESTAMP + number * 1000L - (number % 6 == 4 ? 2500 : 0);
    }

    private static String text(int number) {
        return ("record " + number + "; ").repeat(1 + number % 4);
    }

    private static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }
}
