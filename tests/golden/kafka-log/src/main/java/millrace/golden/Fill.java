package millrace.golden;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Writes to the node of make: "Fill BOOTSTRAP LOGS LIFE", once in each life of the node, so that
 * logs have several leader epochs.
 */
public final class Fill {
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    private static final int RECORDS_OF_A_LIFE = 10_000;

    private final Cluster cluster;
    private final Path logs;
    private final Admin admin;

    private Fill(Cluster cluster, Path logs, Admin admin) {
        this.cluster = cluster;
        this.logs = logs;
        this.admin = admin;
    }

    public static void main(String[] args) throws Exception {
        int life = Integer.parseInt(args[2]);
        Cluster cluster = new Cluster(args[0], life * RECORDS_OF_A_LIFE);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            Fill fill = new Fill(cluster, Path.of(args[1]), admin);
            switch (life) {
                case 0 -> fill.first();
                case 1 -> fill.second();
                default -> fill.last();
            }
        }
        // A producer that is to leave its transaction open must not end it at the exit.
        System.out.println("filled, life " + life);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private void first() throws Exception {
        String small = "internal.segment.bytes=2048,index.interval.bytes=200";
        admin.createTopics(List.of(topic("codecs", 5, "index.interval.bytes=100"),
                      topic("segments", 1, small), topic("deleted", 1, small),
                      topic("append-time", 1, small + ",message.timestamp.type=LogAppendTime"),
                      topic("transactions", 2, small), topic("empty", 1, ""),
                      topic("compact", 1, small + ",cleanup.policy=compact"
                              + ",min.cleanable.dirty.ratio=0.01"),
                      topic("compact-now", 1, small + ",cleanup.policy=compact"
                              + ",min.cleanable.dirty.ratio=0.01,delete.retention.ms=0")))
                .all().get();
        codecs(4);
        segments("segments", 12);
        segments("deleted", 16);
        appendTime();
        transactions("life-0");
        compacted("first");
        groups();
    }

    private void second() throws Exception {
        codecs(2);
        segments("segments", 4);
        segments("deleted", 4);
        admin.deleteRecords(Map.of(new TopicPartition("deleted", 0),
                RecordsToDelete.beforeOffset(63))).all().get();
        appendTime();
        transactions("life-1");
        openTransaction("left-open");
        compacted("second");
        groups();
    }

    private void last() throws Exception {
        codecs(2);
        segments("segments", 6);
        segments("deleted", 3);
        transactions("life-2");
        openTransaction("killed-open");
        compacted("third");
        groups();
    }

    private static NewTopic topic(String name, int partitions, String settings) {
        Map<String, String> configs = new HashMap<>();
        for (String setting : settings.split(",")) {
            if (!setting.isEmpty()) {
                configs.put(setting.split("=")[0], setting.split("=")[1]);
            }
        }
        return new NewTopic(name, partitions, (short) 1).configs(configs);
    }

    private void codecs(int batches) {
        for (int i = 0; i < CODECS.length; i++) {
            try (KafkaProducer<byte[], byte[]> idempotent =
                            cluster.producer("compression.type", CODECS[i]);
                    KafkaProducer<byte[], byte[]> plain = cluster.producer("compression.type",
                            CODECS[i], "enable.idempotence", "false")) {
                for (int batch = 0; batch < batches; batch++) {
                    cluster.batch(batch % 2 == 0 ? idempotent : plain, "codecs", i, 8 + batch);
                }
            }
        }
    }

    private void segments(String topic, int batches) {
        try (KafkaProducer<byte[], byte[]> producer = cluster.producer()) {
            for (int batch = 0; batch < batches; batch++) {
                cluster.batch(producer, topic, 0, 1 + batch * 5 % 13);
            }
        }
    }

    private void appendTime() {
        for (String codec : List.of("none", "zstd")) {
            try (KafkaProducer<byte[], byte[]> producer =
                            cluster.producer("compression.type", codec)) {
                for (int batch = 0; batch < 5; batch++) {
                    cluster.batch(producer, "append-time", 0, 7);
                }
            }
        }
    }

    /** Commits and aborts, some inside each other, some in both partitions. */
    private void transactions(String name) {
        try (KafkaProducer<byte[], byte[]> a = cluster.transactional(name + "-a");
                KafkaProducer<byte[], byte[]> b = cluster.transactional(name + "-b")) {
            for (int round = 0; round < 4; round++) {
                a.beginTransaction();
                cluster.batch(a, "transactions", 0, 3 + round);
                b.beginTransaction();
                cluster.batch(b, "transactions", 0, 2);
                cluster.batch(b, "transactions", 1, 4);
                cluster.batch(a, "transactions", 0, 5);
                if (round % 2 == 0) {
                    b.abortTransaction();
                } else {
                    b.commitTransaction();
                }
                cluster.batch(a, "transactions", 1, 2);
                if (round > 1) {
                    a.abortTransaction();
                } else {
                    a.commitTransaction();
                }
            }
        }
    }

    private void openTransaction(String name) {
        KafkaProducer<byte[], byte[]> open = cluster.transactional(name);
        open.beginTransaction();
        cluster.batch(open, "transactions", 1, 3);
        try (KafkaProducer<byte[], byte[]> aborted = cluster.transactional(name + "-beside")) {
            aborted.beginTransaction();
            cluster.batch(aborted, "transactions", 1, 2);
            aborted.abortTransaction();
        }
        Cluster.abandon(open);
    }

    /** Batches that lose some records, all records, and all of a transaction; tombstones. */
    private void compacted(String name) throws Exception {
        for (String topic : List.of("compact", "compact-now")) {
            try (KafkaProducer<byte[], byte[]> kept = cluster.producer();
                    KafkaProducer<byte[], byte[]> emptied =
                            cluster.producer("compression.type", "lz4")) {
                cluster.keyed(emptied, topic, name + " value to be replaced", keys("e", 0, 6));
                for (int round = 0; round < 6; round++) {
                    cluster.keyed(kept, topic, name + " round " + round, keys("k", round, 9));
                }
                cluster.keyed(kept, topic, name + " new value", keys("e", 0, 6));
                cluster.keyed(kept, topic, null, keys("k", 2, 3));
            }
            try (KafkaProducer<byte[], byte[]> producer = cluster.transactional(name + topic)) {
                for (int round = 0; round < 3; round++) {
                    producer.beginTransaction();
                    cluster.keyed(producer, topic, name + " of a transaction", keys("t", 0, 4));
                    if (round == 1) {
                        producer.abortTransaction();
                    } else {
                        producer.commitTransaction();
                    }
                }
            }
            try (KafkaProducer<byte[], byte[]> producer = cluster.producer()) {
                for (int round = 0; round < 8; round++) {
                    cluster.keyed(producer, topic, name + " end", keys("x", round % 2, 8));
                }
            }
        }
        waitForCleaner();
    }

    private static String[] keys(String prefix, int from, int count) {
        return IntStream.range(from, from + count).mapToObj(i -> prefix + i).toArray(String[]::new);
    }

    private void waitForCleaner() throws Exception {
        for (int tries = 0; tries < 600; tries++) {
            if (cleanedTo("compact") == activeSegment("compact")
                    && cleanedTo("compact-now") == activeSegment("compact-now")) {
                return;
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException("the cleaner did not reach the active segments");
    }

    private long cleanedTo(String topic) throws IOException {
        Path checkpoint = logs.resolve("cleaner-offset-checkpoint");
        if (!Files.exists(checkpoint)) {
            return -1;
        }
        for (String line : Files.readAllLines(checkpoint)) {
            if (line.startsWith(topic + " 0 ")) {
                return Long.parseLong(line.split(" ")[2]);
            }
        }
        return -1;
    }

    private long activeSegment(String topic) throws IOException {
        try (Stream<Path> files = Files.list(logs.resolve(topic + "-0"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".log"))
                    .mapToLong(name -> Long.parseLong(name.substring(0, 20)))
                    .max().getAsLong();
        }
    }

    /** Groups of both protocols, commits by a tool, in a transaction, and removed ones. */
    private void groups() throws Exception {
        for (String protocol : List.of("classic", "consumer")) {
            Map<String, Object> config = consumerConfig("group-" + protocol);
            config.put("group.protocol", protocol);
            try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config)) {
                consumer.subscribe(List.of("codecs", "segments"));
                Set<String> seen = new HashSet<>();
                for (int polls = 0; polls < 300 && seen.size() < 2; polls++) {
                    consumer.poll(Duration.ofMillis(100)).forEach(r -> seen.add(r.topic()));
                }
                if (seen.size() < 2 && consumer.assignment().isEmpty()) {
                    throw new IllegalStateException(protocol + ": nothing was assigned");
                }
                consumer.commitSync();
            }
        }
        TopicPartition first = new TopicPartition("codecs", 0);
        TopicPartition second = new TopicPartition("codecs", 1);
        admin.alterConsumerGroupOffsets("group-of-a-tool",
                Map.of(first, new OffsetAndMetadata(7, "by hand"), second,
                        new OffsetAndMetadata(3))).all().get();
        admin.deleteConsumerGroupOffsets("group-of-a-tool", Set.of(second)).all().get();
        try (KafkaProducer<byte[], byte[]> producer = cluster.transactional("offsets")) {
            for (boolean commit : Arrays.asList(true, false)) {
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(
                        Map.of(first, new OffsetAndMetadata(commit ? 11 : 12)),
                        new ConsumerGroupMetadata("group-transactional"));
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
    }

    private Map<String, Object> consumerConfig(String group) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", cluster.bootstrap());
        config.put("group.id", group);
        config.put("auto.offset.reset", "earliest");
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        return config;
    }
}
