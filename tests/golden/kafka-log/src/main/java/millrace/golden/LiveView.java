package millrace.golden;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** "LiveView BOOTSTRAP FILE": what the running node answers for each partition of our topics. */
public final class LiveView {
    private static final ListOffsetsOptions COMMITTED =
            new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
    private static final ListOffsetsOptions ALL =
            new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED);

    private LiveView() {}

    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]));
                PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            for (TopicPartition partition : partitions(admin)) {
                describe(args[0], admin, partition, out);
            }
        }
    }

    private static List<TopicPartition> partitions(Admin admin) throws Exception {
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : new TreeSet<>(admin.listTopics().names().get())) {
            TopicDescription description =
                    admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            description.partitions().forEach(
                    p -> partitions.add(new TopicPartition(topic, p.partition())));
        }
        return partitions;
    }

    private static void describe(String bootstrap, Admin admin, TopicPartition partition,
            PrintWriter out) throws Exception {
        out.println("partition\t" + partition);
        long start = ask(admin, partition, OffsetSpec.earliest(), ALL).offset();
        long end = ask(admin, partition, OffsetSpec.latest(), ALL).offset();
        long stable = ask(admin, partition, OffsetSpec.latest(), COMMITTED).offset();
        out.println("live\t" + start + "\t" + end + "\t" + stable);
        List<ConsumerRecord<byte[], byte[]>> all =
                read(bootstrap, partition, "read_uncommitted", start, end);
        out.println("visible\t" + ranges(all));
        out.println(
                "committed\t"
                    + ranges(read(bootstrap, partition, "read_committed", start, stable)));
        ListOffsetsResultInfo max = ask(admin, partition, OffsetSpec.maxTimestamp(), ALL);
        out.println("max_timestamp\t" + max.offset() + "\t" + max.timestamp());
        TreeSet<Long> times = new TreeSet<>();
        for (int i = 0; i < all.size(); i += Math.max(1, all.size() / 8)) {
            long time = all.get(i).timestamp();
            times.addAll(List.of(time - 1, time, time + 1));
        }
        if (max.offset() >= 0) {
            times.addAll(List.of(max.timestamp(), max.timestamp() + 1));
        }
        for (long time : times) {
            ListOffsetsResultInfo found =
                    ask(admin, partition, OffsetSpec.forTimestamp(time), ALL);
            out.println("lookup\t" + time + "\t" + found.offset() + "\t" + found.timestamp());
        }
    }

    private static ListOffsetsResultInfo ask(Admin admin, TopicPartition partition, OffsetSpec spec,
            ListOffsetsOptions options) throws Exception {
        return admin.listOffsets(Map.of(partition, spec), options).partitionResult(partition).get();
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String bootstrap,
            TopicPartition partition, String isolation, long start, long end) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("isolation.level", isolation);
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config)) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, start);
            long deadline = System.currentTimeMillis() + 30_000;
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException(partition + ": not read to its end");
                }
            }
        }
        return records;
    }

    /** "0-9,12,20-30", or "-" for none. */
    private static String ranges(List<ConsumerRecord<byte[], byte[]>> records) {
        StringJoiner ranges = new StringJoiner(",").setEmptyValue("-");
        for (int i = 0; i < records.size();) {
            int last = i;
            while (last + 1 < records.size()
                    && records.get(last + 1).offset() == records.get(last).offset() + 1) {
                last++;
            }
            long from = records.get(i).offset();
            long to = records.get(last).offset();
            ranges.add(from == to ? Long.toString(from) : from + "-" + to);
            i = last + 1;
        }
        return ranges.toString();
    }
}
