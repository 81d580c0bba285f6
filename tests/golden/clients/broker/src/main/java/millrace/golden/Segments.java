package millrace.golden;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.StringJoiner;
import java.util.stream.Stream;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.Utils;

/**
 * Copies the segment of every topic "client-name" of a stopped broker to client/name.bin, and
 * writes what Kafka's own reader finds in it to client/name.tsv. Records of clients must be the
 * workload.
 */
public final class Segments {
    private static final int ATTRIBUTES_OFFSET = 21;
    private static final int MAX_BYTES = 64 * 1024;
    private static final int TRANSACTIONAL_RECORDS = 120;

    private Segments() {}

    public static void main(String[] args) throws Exception {
        Path logs = Path.of(args[0]);
        Path out = Path.of(args[1]);
        List<String> workload = Workload.lines(Path.of(args[2]));
        List<Path> folders;
        try (Stream<Path> list = Files.list(logs)) {
            folders = list.filter(Files::isDirectory).sorted().toList();
        }
        for (Path folder : folders) {
            String topic = folder.getFileName().toString().replaceFirst("-0$", "");
            if (topic.equals("__consumer_offsets") || topic.equals("__transaction_state")) {
                convert(folder, out.resolve("internal"), topic.substring(2), null);
            } else if (topic.matches("(java|librdkafka|franz-go|kafkajs)-[a-z0-9_]+")) {
                int dash = topic.lastIndexOf('-');
                String client = topic.substring(0, dash);
                if (Files.size(onlySegment(folder)) == 0) {
                    System.out.println(topic + ": the client wrote nothing");
                    continue;
                }
                String name = topic.substring(dash + 1);
                convert(folder, out.resolve(client), name, sentBy(client, workload));
            }
        }
    }

    /** The workload as a client can send it: kafkajs has no null header values. */
    private static List<String> sentBy(String client, List<String> workload) {
        if (!client.equals("kafkajs")) {
            return workload;
        }
        return workload.stream()
                .map(line -> {
                    int headers = line.lastIndexOf('\t');
                    return line.substring(0, headers)
                            + line.substring(headers).replace(":null", ":");
                })
                .toList();
    }

    private static void convert(Path folder, Path out, String name, List<String> workload)
            throws IOException {
        byte[] segment = Files.readAllBytes(onlySegment(folder));
        if (segment.length > MAX_BYTES) {
            throw new IllegalStateException(folder + ": segment of " + segment.length + " bytes");
        }
        List<String> rows = new ArrayList<>();
        List<String> records = new ArrayList<>();
        boolean timesFromBroker = false;
        for (MutableRecordBatch batch : batchesOf(segment)) {
            timesFromBroker |= batch.timestampType() == TimestampType.LOG_APPEND_TIME;
            describe((DefaultRecordBatch) batch, rows, records);
        }
        if (workload != null) {
            compare(folder, records, workload, timesFromBroker);
            checkCodec(folder, name, segment);
        }
        Files.createDirectories(out);
        Files.write(out.resolve(name + ".bin"), segment);
        Files.writeString(out.resolve(name + ".tsv"), String.join("\n", rows) + "\n");
        System.out.printf("%s/%s: %d bytes, %d records%n", out.getFileName(), name, segment.length,
                records.size());
    }

    private static Path onlySegment(Path folder) throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            List<Path> segments = list.filter(p -> p.toString().endsWith(".log")).toList();
            if (segments.size() != 1) {
                throw new IllegalStateException(folder + ": " + segments.size() + " segments");
            }
            return segments.get(0);
        }
    }

    private static Iterable<MutableRecordBatch> batchesOf(byte[] segment) {
        return MemoryRecords.readableRecords(ByteBuffer.wrap(segment)).batches();
    }

    private static void describe(
            DefaultRecordBatch batch, List<String> rows, List<String> records) {
        batch.ensureValid();
        ByteBuffer raw = ByteBuffer.allocate(batch.sizeInBytes());
        batch.writeTo(raw);
        StringJoiner row = new StringJoiner("\t").add("batch");
        for (long number : new long[] {batch.baseOffset(), batch.lastOffset(), batch.sizeInBytes(),
                     batch.partitionLeaderEpoch(), raw.getShort(ATTRIBUTES_OFFSET),
                     batch.baseTimestamp(), batch.maxTimestamp(), batch.producerId(),
                     batch.producerEpoch(), batch.baseSequence(), batch.countOrNull(),
                     batch.checksum()}) {
            row.add(Long.toString(number));
        }
        rows.add(row.toString());
        for (Record record : batch) {
            String text =
                    String.join("\t", Long.toString(record.timestamp()), bytesOf(record.key()),
                            bytesOf(record.value()), Workload.headersText(record.headers()));
            rows.add("record\t" + (record.offset() - batch.baseOffset()) + "\t" + text);
            if (!batch.isControlBatch()) {
                records.add(text);
            }
        }
    }

    private static String bytesOf(ByteBuffer buffer) {
        return Workload.hex(Utils.toNullableArray(buffer));
    }

    /** The codec asked for must be used; librdkafka leaves a batch plain that will not shrink. */
    private static void checkCodec(Path folder, String name, byte[] segment) {
        if (Arrays.stream(CompressionType.values()).noneMatch(t -> t.name.equals(name))) {
            return;
        }
        for (MutableRecordBatch batch : batchesOf(segment)) {
            if (batch.countOrNull() > 1 && !batch.compressionType().name.equals(name)) {
                throw new IllegalStateException(folder + ": batch is " + batch.compressionType());
            }
        }
    }

    /** The transactions hold a part of the workload, all others the whole. */
    private static void compare(
            Path folder, List<String> records, List<String> workload, boolean timesFromBroker) {
        boolean part = folder.getFileName().toString().equals("java-transactional-0");
        if (records.size() != (part ? TRANSACTIONAL_RECORDS : workload.size())) {
            throw new IllegalStateException(folder + ": " + records.size() + " records");
        }
        for (int i = 0; i < records.size(); i++) {
            String found = records.get(i);
            String expected = workload.get(i);
            if (timesFromBroker) {
                found = found.substring(found.indexOf('\t'));
                expected = expected.substring(expected.indexOf('\t'));
            }
            if (!found.equals(expected)) {
                throw new IllegalStateException(
                        folder + " record " + i + ":\n" + found + "\ninstead of\n" + expected);
            }
        }
    }
}
