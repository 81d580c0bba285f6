package millrace.golden;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.storage.internals.log.AbortedTxn;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LastRecord;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * cleaner_traces.tsv: random logs that Kafka's cleaner cleans again and again while they grow, with
 * all batches before and after. README.md says what the columns are.
 */
final class CleanerTraces {
    private static final int TRACES = 8;
    private static final int PASSES = 5;
    private static final int BATCHES = 14;
    private static final int KEYS = 6;
    private static final long DELETE_RETENTION_MS = 500;
    private static final int TABLE_BYTES = 1 << 16;
    private static final HexFormat HEX = HexFormat.of();
    private static final List<CompressionType> CODECS = List.of(CompressionType.NONE,
        CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4,
        CompressionType.ZSTD);

    private final PrintStream out;
    private final Random random;
    private final UnifiedLog log;
    private final Map<Long, Integer> sequences = new HashMap<>();
    private final TreeMap<Long, Long> open = new TreeMap<>();
    private long now = 1_700_000_000_000L;
    private int values = 0;

    static void write(Path directory) throws Exception {
        try (PrintStream out = new PrintStream(
            Files.newOutputStream(directory.resolve("cleaner_traces.tsv")), false,
            StandardCharsets.UTF_8)) {
            for (int seed = 0; seed < TRACES; ++seed) {
                Path scratch = Files.createTempDirectory("cleaner");
                Path partition = Files.createDirectories(scratch.resolve("t-0"));
                new CleanerTraces(out, seed, partition).run();
                Utils.delete(scratch.toFile());
            }
        }
    }

    private CleanerTraces(PrintStream out, int seed, Path partition) throws Exception {
        this.out = out;
        this.random = new Random(seed);
        Map<String, Object> properties = new HashMap<>();
        properties.put(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT);
        properties.put(TopicConfig.DELETE_RETENTION_MS_CONFIG, DELETE_RETENTION_MS);
        properties.put(TopicConfig.RETENTION_MS_CONFIG, -1L);
        this.log = UnifiedLog.create(partition.toFile(), new LogConfig(properties), 0, 0,
            Immediately.SCHEDULER, new BrokerTopicStats(), Time.SYSTEM, 900_000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000,
            new LogDirFailureChannel(1), true, Optional.empty());
    }

    private void run() throws Exception {
        out.printf("begin\t%d\n", DELETE_RETENTION_MS);
        long dirty = 0;
        for (int pass = 0; pass < PASSES; ++pass) {
            for (int count = 0; count < BATCHES; ++count) step();
            for (Long producer : List.copyOf(open.keySet())) end(producer);
            log.roll(Optional.empty());
            log.updateHighWatermark(log.logEndOffset());
            now += random.nextInt(400);
            dump("before");
            aborted("aborted_before");
            for (Map.Entry<Long, LastRecord> producer
                : new TreeMap<>(log.lastRecordsOfActiveProducers()).entrySet()) {
                out.printf("producer\t%d\t%d\t%d\n", producer.getKey(),
                    producer.getValue().producerEpoch(),
                    producer.getValue().lastDataOffset().orElse(-1));
            }
            long to = log.activeSegment().baseOffset();
            out.printf("clean\t%d\t%d\t%d\n", dirty, to, now);
            Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(TABLE_BYTES), 1 << 16, 1 << 20,
                0.9, new Throttler(Double.MAX_VALUE, 300, "cleaner", "bytes", Time.SYSTEM),
                Time.SYSTEM, partition -> {});
            dirty = cleaner.doClean(new LogToClean(log, dirty, to, false), now).getKey();
            out.printf("cleaned\t%d\n", dirty);
            dump("after");
            aborted("aborted_after");
        }
        log.closeHandlers();
    }

    private void step() throws Exception {
        now += random.nextInt(20);
        long producer = random.nextInt(4);
        if (open.containsKey(producer) && random.nextInt(3) == 0) {
            end(producer);
            return;
        }
        long first = log.logEndOffset() + (random.nextInt(8) == 0 ? random.nextInt(4) : 0);
        boolean idempotent = open.containsKey(producer) || random.nextInt(3) > 0;
        boolean transactional = open.containsKey(producer) || idempotent && producer > 1;
        boolean logAppendTime = random.nextInt(6) == 0;
        int count = 1 + random.nextInt(4);
        int sequence = sequences.getOrDefault(producer, 0);
        CompressionType codec = CODECS.get(random.nextInt(CODECS.size()));
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, RecordBatch.MAGIC_VALUE_V2,
            Compression.of(codec).build(),
            logAppendTime ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME, first, now,
            idempotent ? producer : -1, (short) (idempotent ? 0 : -1), idempotent ? sequence : -1,
            transactional, false, (int) (first / 40));
        for (int at = 0; at < count; ++at) {
            byte[] key = random.nextInt(12) == 0 ? null : bytes("k" + random.nextInt(KEYS));
            byte[] value = random.nextInt(4) == 0 ? null : bytes("value " + ++values);
            Header[] headers = random.nextInt(4) > 0 ? new Header[0]
                : new Header[] {new RecordHeader("h", bytes("header " + values))};
            builder.append(now - random.nextInt(30), key, value, headers);
        }
        log.appendAsFollower(builder.build(), (int) (first / 40));
        if (idempotent) sequences.put(producer, sequence + count);
        if (transactional) open.putIfAbsent(producer, first);
    }

    private void end(long producer) throws Exception {
        open.remove(producer);
        log.appendAsFollower(MemoryRecords.withEndTransactionMarker(log.logEndOffset(), now,
            (int) (log.logEndOffset() / 40), producer, (short) 0, new EndTransactionMarker(
                random.nextBoolean() ? ControlRecordType.ABORT : ControlRecordType.COMMIT, 0)),
            (int) (log.logEndOffset() / 40));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void dump(String line) {
        for (LogSegment segment : log.logSegments()) {
            for (RecordBatch batch : segment.log().batches()) {
                ByteBuffer bytes = ByteBuffer.allocate(batch.sizeInBytes());
                batch.writeTo(bytes);
                out.printf("%s\t%s\n", line, HEX.formatHex(bytes.array()));
            }
        }
    }

    private void aborted(String line) throws Exception {
        for (AbortedTxn aborted : log.collectAbortedTransactions(0, log.logEndOffset())) {
            out.printf("%s\t%d\t%d\t%d\t%d\n", line, aborted.producerId(), aborted.firstOffset(),
                aborted.lastOffset(), aborted.lastStableOffset());
        }
    }
}
