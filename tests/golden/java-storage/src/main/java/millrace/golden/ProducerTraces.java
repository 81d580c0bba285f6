package millrace.golden;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.storage.internals.log.AbortedTxn;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogOffsetMetadata;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * producer_traces.tsv: random appends of idempotent and transactional producers to a log of Kafka,
 * what became of each, and what the log then knew of its producers. README.md says what the columns
 * are.
 */
final class ProducerTraces {
    private static final int TRACES = 40;
    private static final int STEPS = 150;
    private static final int STEPS_PER_DUMP = 15;
    private static final int PRODUCERS = 5;
    private static final int EXPIRATION_MS = 1000;
    private static final int TIMEOUT_MS = 900_000;
    private static final HexFormat HEX = HexFormat.of();

    /** A batch that was tried, and what the producer would send next. */
    private record Sent(short epoch, int sequence, int count, boolean transactional) {
        int next() {
            return (int) ((sequence + (long) count) & 0x7fffffff);
        }
    }

    private final PrintStream out;
    private final Random random;
    private final UnifiedLog log;
    private final Map<Long, List<Sent>> sent = new HashMap<>();
    private long now = 1_700_000_000_000L;

    static void write(Path directory) throws Exception {
        try (PrintStream out = new PrintStream(
            Files.newOutputStream(directory.resolve("producer_traces.tsv")), false,
            StandardCharsets.UTF_8)) {
            for (int seed = 0; seed < TRACES; ++seed) {
                Path scratch = Files.createTempDirectory("producers");
                Path partition = Files.createDirectories(scratch.resolve("t-0"));
                new ProducerTraces(out, seed, partition).run();
                Utils.delete(scratch.toFile());
            }
        }
    }

    private ProducerTraces(PrintStream out, int seed, Path partition) throws Exception {
        this.out = out;
        this.random = new Random(seed);
        Map<String, Object> properties = new HashMap<>();
        properties.put(TopicConfig.RETENTION_MS_CONFIG, -1L);
        this.log = UnifiedLog.create(partition.toFile(), new LogConfig(properties), 0, 0,
            Immediately.SCHEDULER, new BrokerTopicStats(), Time.SYSTEM, TIMEOUT_MS,
            new ProducerStateManagerConfig(EXPIRATION_MS, false), 600_000,
            new LogDirFailureChannel(1), true, Optional.empty());
    }

    private void run() throws Exception {
        out.print("begin\n");
        for (int step = 1; step <= STEPS; ++step) {
            now += random.nextInt(20);
            long producer = 1 + random.nextInt(PRODUCERS);
            switch (random.nextInt(20)) {
                case 0, 1, 2 -> marker(producer, false);
                case 3 -> marker(producer, true);
                case 4 -> moveHighWatermark();
                case 5 -> data("follower", producer);
                case 6 -> data("coordinator", producer);
                case 7 -> {
                    if (random.nextInt(3) == 0) expire();
                }
                default -> data("client", producer);
            }
            Optional<LogOffsetMetadata> unstable = states().firstUnstableOffset();
            out.printf("unstable\t%d\t%d\n", states().firstUndecidedOffset().orElse(-1),
                unstable.map(offset -> offset.messageOffset).orElse(-1L));
            if (step % STEPS_PER_DUMP == 0) dump();
        }
        for (AbortedTxn aborted : log.collectAbortedTransactions(0, log.logEndOffset())) {
            out.printf("aborted\t%d\t%d\t%d\t%d\n", aborted.producerId(), aborted.firstOffset(),
                aborted.lastOffset(), aborted.lastStableOffset());
        }
        out.print("end\n");
        log.closeHandlers();
    }

    private ProducerStateManager states() {
        return log.producerStateManager();
    }

    private void data(String origin, long producer) {
        Sent batch = choose(producer, !origin.equals("client"));
        SimpleRecord[] records = new SimpleRecord[batch.count];
        for (int at = 0; at < records.length; ++at) {
            records[at] = new SimpleRecord(now, "value".getBytes(StandardCharsets.UTF_8));
        }
        long first = origin.equals("follower") ? log.logEndOffset() : 0;
        MemoryRecords bytes = batch.transactional
            ? MemoryRecords.withTransactionalRecords(first, Compression.NONE, producer, batch.epoch,
                batch.sequence, 0, records)
            : MemoryRecords.withIdempotentRecords(first, Compression.NONE, producer, batch.epoch,
                batch.sequence, 0, records);
        String outcome = append(origin, bytes, (short) 0);
        if (outcome.startsWith("ok")) {
            sent.computeIfAbsent(producer, key -> new ArrayList<>()).add(batch);
        }
        out.printf("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", origin, producer, batch.epoch,
            batch.sequence, batch.count, batch.transactional ? 1 : 0, now, outcome);
    }

    // What a producer might send: mostly what is right, else something near it.
    private Sent choose(long producer, boolean isCoordinator) {
        ProducerStateEntry entry = states().activeProducers().get(producer);
        boolean open = entry != null && entry.currentTxnFirstOffset().isPresent();
        boolean transactional = random.nextInt(8) == 0 ? !open : open || random.nextBoolean();
        int count = 1 + random.nextInt(5);
        List<Sent> before = sent.getOrDefault(producer, List.of());
        short epoch = entry == null ? (short) random.nextInt(3) : entry.producerEpoch();
        int next = before.isEmpty() ? 0 : before.get(before.size() - 1).next();
        if (entry != null && entry.batchMetadata().isEmpty()) next = 0;
        // The coordinator of a group does not count what it appends for a producer.
        if (isCoordinator && random.nextBoolean()) {
            return new Sent(epoch, 0, count, transactional);
        }
        return switch (random.nextInt(16)) {
            case 0, 1, 2 -> {
                if (before.isEmpty()) yield new Sent(epoch, start(), count, transactional);
                Sent again = before.get(Math.max(0, before.size() - 1 - random.nextInt(7)));
                yield random.nextInt(4) > 0 ? again
                    : new Sent(again.epoch, again.sequence, again.count + 1, again.transactional);
            }
            case 3 -> new Sent(epoch, next + 1 + random.nextInt(3) & 0x7fffffff, count,
                transactional);
            case 4 -> new Sent(after(epoch), 0, count, transactional);
            case 5 -> new Sent(after(epoch), 1 + random.nextInt(9), count, transactional);
            case 6 -> new Sent((short) Math.max(0, epoch - 1), next, count, transactional);
            default -> new Sent(epoch, entry == null ? start() : next, count, transactional);
        };
    }

    private static short after(short epoch) {
        return (short) Math.min(Short.MAX_VALUE, epoch + 1);
    }

    // Often so that the sequence wraps soon.
    private int start() {
        return switch (random.nextInt(3)) {
            case 0 -> 0;
            case 1 -> Integer.MAX_VALUE - random.nextInt(10);
            default -> random.nextInt(100);
        };
    }

    private void marker(long producer, boolean follower) {
        ProducerStateEntry entry = states().activeProducers().get(producer);
        int epoch = entry == null ? 0 : entry.producerEpoch();
        epoch = switch (random.nextInt(6)) {
            case 0 -> Math.max(0, epoch - 1);
            case 1, 2 -> epoch;
            case 3 -> random.nextInt(10) == 0 ? Short.MAX_VALUE : epoch + 2;
            default -> epoch + 1;
        };
        epoch = Math.min(epoch, Short.MAX_VALUE);
        int coordinator = entry == null ? 0 : Math.max(0, entry.coordinatorEpoch());
        if (random.nextInt(5) == 0) coordinator = Math.max(0, coordinator - 1 + random.nextInt(3));
        boolean aborts = random.nextBoolean();
        short version = (short) random.nextInt(3);
        MemoryRecords bytes = MemoryRecords.withEndTransactionMarker(
            follower ? log.logEndOffset() : 0, now, 0, producer, (short) epoch,
            new EndTransactionMarker(
                aborts ? ControlRecordType.ABORT : ControlRecordType.COMMIT, coordinator));
        String outcome = append(follower ? "follower" : "coordinator", bytes, version);
        out.printf("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", follower ? "follower_marker" : "marker",
            producer, epoch, coordinator, aborts ? 1 : 0, version, now, outcome);
    }

    private String append(String origin, MemoryRecords bytes, short version) {
        try {
            LogAppendInfo info;
            long end = log.logEndOffset();
            if (origin.equals("follower")) {
                info = log.appendAsFollower(bytes, 0);
            } else {
                info = log.appendAsLeader(bytes, 0,
                    origin.equals("client") ? AppendOrigin.CLIENT : AppendOrigin.COORDINATOR,
                    RequestLocal.noCaching(), VerificationGuard.SENTINEL, version);
            }
            if (log.logEndOffset() == end) {
                return "duplicate " + info.firstOffset() + " " + info.lastOffset();
            }
            return "ok " + end + " " + (log.logEndOffset() - 1);
        } catch (ApiException refused) {
            return refused.getClass().getSimpleName();
        }
    }

    private void moveHighWatermark() throws Exception {
        long range = log.logEndOffset() - log.highWatermark();
        long to = log.highWatermark() + (range == 0 ? 0 : random.nextLong(range + 1));
        log.updateHighWatermark(to);
        out.printf("high_watermark\t%d\n", to);
    }

    private void expire() {
        long at = now + random.nextInt(EXPIRATION_MS);
        log.removeExpiredProducers(at);
        out.printf("expire\t%d\t%d\n", at, EXPIRATION_MS);
        sent.keySet().retainAll(states().activeProducers().keySet());
    }

    private void dump() throws Exception {
        List<ProducerStateEntry> entries =
            new ArrayList<>(new TreeMap<>(states().activeProducers()).values());
        entries.sort(Comparator.comparingLong(ProducerStateEntry::producerId));
        for (ProducerStateEntry entry : entries) {
            StringBuilder batches = new StringBuilder();
            for (BatchMetadata batch : entry.batchMetadata()) {
                batches.append('\t').append(batch.lastSeq()).append(' ')
                    .append(batch.offsetDelta()).append(' ').append(batch.lastOffset()).append(' ')
                    .append(batch.timestamp());
            }
            out.printf("producer\t%d\t%d\t%d\t%d\t%d%s\n", entry.producerId(),
                entry.producerEpoch(), entry.coordinatorEpoch(), entry.lastTimestamp(),
                entry.currentTxnFirstOffset().orElse(-1), batches);
        }
        Path file = Files.createTempFile("producers", ".snapshot");
        ProducerStateManager.writeSnapshot(file.toFile(), states().activeProducers(), false);
        out.printf("snapshot\t%s\n", HEX.formatHex(Files.readAllBytes(file)));
        Files.delete(file);
    }
}
