package millrace.golden;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogOffsetMetadata;
import org.apache.kafka.storage.internals.log.ProducerAppendInfo;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;

/** Snapshots of producers, in snapshots/: without producers, and with one of each kind. */
final class ProducerSnapshots {
    private static final TopicPartition PARTITION = new TopicPartition("t", 0);

    static void write(Path directory) throws Exception {
        Path snapshots = Files.createDirectories(directory.resolve("snapshots"));
        write(snapshots.resolve("none.snapshot"), Map.of());
        Map<Long, ProducerStateEntry> producers = new LinkedHashMap<>();
        put(producers, data(0, (short) 0, 9, 1000, 4, false));
        put(producers, data(1, (short) 3, Integer.MAX_VALUE, 2000, 0, true));
        put(producers, marked(7, (short) 12, 5));
        put(producers, data(Long.MAX_VALUE, Short.MAX_VALUE, 0, Long.MAX_VALUE - 1, 9, true));
        write(snapshots.resolve("some.snapshot"), producers);
    }

    private static void put(Map<Long, ProducerStateEntry> producers, ProducerStateEntry entry) {
        producers.put(entry.producerId(), entry);
    }

    private static ProducerStateEntry data(long id, short epoch, int lastSequence, long lastOffset,
                                           int delta, boolean transactional) {
        ProducerAppendInfo info = append(id);
        int first = (int) ((lastSequence - (long) delta) & 0x7fffffff);
        info.appendDataBatch(epoch, first, lastSequence, 1_700_000_000_000L + delta,
            new LogOffsetMetadata(lastOffset - delta), lastOffset, transactional);
        return info.toEntry();
    }

    private static ProducerStateEntry marked(long id, short epoch, int coordinatorEpoch) {
        ProducerAppendInfo info = append(id);
        info.appendEndTxnMarker(
            new EndTransactionMarker(ControlRecordType.COMMIT, coordinatorEpoch), epoch, 77,
            1_700_000_000_123L, (short) 1);
        return info.toEntry();
    }

    private static ProducerAppendInfo append(long id) {
        ProducerStateEntry unknown =
            new ProducerStateEntry(id, (short) -1, -1, -1, OptionalLong.empty());
        return new ProducerAppendInfo(PARTITION, id, unknown, AppendOrigin.REPLICATION, null);
    }

    private static void write(Path file, Map<Long, ProducerStateEntry> producers) throws Exception {
        Files.deleteIfExists(file);
        ProducerStateManager.writeSnapshot(file.toFile(), producers, false);
        List<ProducerStateEntry> read = ProducerStateManager.readSnapshot(file.toFile());
        if (read.size() != producers.size()) throw new IllegalStateException("not read back");
    }

    private ProducerSnapshots() {}
}
