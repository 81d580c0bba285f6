package millrace.golden;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Produces the workload with the Java client: each codec, idempotent, in transactions. */
public final class JavaProducer {
    private static final int FLUSH_EVERY = 100;
    private static final Duration DEADLINE = Duration.ofSeconds(30);

    private final String bootstrap;
    private final List<String> lines;

    private JavaProducer(String bootstrap, List<String> lines) {
        this.bootstrap = bootstrap;
        this.lines = lines;
    }

    public static void main(String[] args) throws Exception {
        JavaProducer producer = new JavaProducer(args[0], Workload.lines(Path.of(args[1])));
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            producer.produceAll("java-" + codec,
                Map.of("compression.type", codec, "enable.idempotence", false));
        }
        producer.produceAll("java-idempotent", Map.of("enable.idempotence", true));
        producer.createLogAppendTimeTopic("java-log_append_time");
        producer.produceAll("java-log_append_time", Map.of("enable.idempotence", false));
        producer.produceTransactions("java-transactional");
        producer.commitOffsets("java-none", "classic");
        producer.commitOffsets("java-none", "consumer");
    }

    private KafkaProducer<byte[], byte[]> newProducer(Map<String, Object> options) {
        Map<String, Object> config = new HashMap<>(options);
        config.put("bootstrap.servers", bootstrap);
        config.put("linger.ms", 1000);
        config.put("delivery.timeout.ms", 31_000);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private void produceAll(String topic, Map<String, Object> options) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = newProducer(options)) {
            produce(producer, topic, 0, lines.size());
        }
    }

    private void produce(KafkaProducer<byte[], byte[]> producer, String topic, int first, int end)
            throws Exception {
        Future<?> last = null;
        for (int i = first; i < end; i++) {
            last = producer.send(Workload.record(topic, lines.get(i)));
            if (i % FLUSH_EVERY == FLUSH_EVERY - 1) {
                producer.flush();
            }
        }
        producer.flush();
        last.get();
    }

    /** Committed, aborted, committed; the last one with the offsets of a group. */
    private void produceTransactions(String topic) throws Exception {
        Map<String, Object> options =
            Map.of("transactional.id", "golden", "compression.type", "lz4");
        try (KafkaProducer<byte[], byte[]> producer = newProducer(options)) {
            producer.initTransactions();
            producer.beginTransaction();
            produce(producer, topic, 0, 60);
            producer.commitTransaction();
            producer.beginTransaction();
            produce(producer, topic, 60, 90);
            producer.abortTransaction();
            producer.beginTransaction();
            produce(producer, topic, 90, 120);
            producer.sendOffsetsToTransaction(
                Map.of(new TopicPartition("java-none", 0),
                    new OffsetAndMetadata(17, "in transaction")),
                new ConsumerGroupMetadata("transactional-group"));
            producer.commitTransaction();
        }
    }

    private void createLogAppendTimeTopic(String topic) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            NewTopic created = new NewTopic(topic, 1, (short) 1)
                .configs(Map.of("message.timestamp.type", "LogAppendTime"));
            admin.createTopics(List.of(created)).all().get();
        }
    }

    /** Joins a group, commits with metadata, leaves: so group and offset records get written. */
    private void commitOffsets(String topic, String groupProtocol) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap,
            "group.id", groupProtocol + "-group", "group.protocol", groupProtocol,
            "auto.offset.reset", "earliest", "enable.auto.commit", false);
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
            consumer.subscribe(List.of(topic));
            long end = System.nanoTime() + DEADLINE.toNanos();
            while (consumer.poll(Duration.ofMillis(500)).isEmpty()) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(groupProtocol + ": nothing in " + DEADLINE);
                }
            }
            consumer.commitSync(
                Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(42, "by hand")));
        }
    }
}
