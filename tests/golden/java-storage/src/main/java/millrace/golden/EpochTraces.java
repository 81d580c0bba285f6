package millrace.golden;

import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.EpochEntry;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;

/** epoch_traces.tsv: random histories of a leader-epoch cache and what it said at each step. */
final class EpochTraces {
    private static final int TRACES = 40;
    private static final int STEPS = 60;

    static void write(Path directory) throws Exception {
        Path scratch = Files.createTempDirectory("epochs");
        try (PrintStream out = new PrintStream(
            Files.newOutputStream(directory.resolve("epoch_traces.tsv")), false,
            StandardCharsets.UTF_8)) {
            for (int seed = 0; seed < TRACES; ++seed) {
                File file = scratch.resolve("leader-epoch-checkpoint-" + seed).toFile();
                trace(out, new Random(seed), new LeaderEpochFileCache(
                    new TopicPartition("t", 0),
                    new LeaderEpochCheckpointFile(file, new LogDirFailureChannel(1)),
                    Immediately.SCHEDULER));
                Files.delete(file.toPath());
            }
        }
        Files.delete(scratch);
    }

    private static void trace(PrintStream out, Random random, LeaderEpochFileCache cache) {
        out.print("begin\n");
        int epochs = 4 + random.nextInt(12);
        int offsets = 20 + random.nextInt(100);
        for (int step = 0; step < STEPS; ++step) {
            long offset = random.nextInt(offsets);
            int epoch = random.nextInt(epochs);
            switch (random.nextInt(12)) {
                case 0 -> {
                    cache.truncateFromEndAsyncFlush(offset);
                    out.printf("from_end\t%d\n", offset);
                }
                case 1 -> {
                    cache.truncateFromStartAsyncFlush(offset);
                    out.printf("from_start\t%d\n", offset);
                }
                case 2, 3, 4, 5, 6 -> {
                    // Mostly forward, as in a log.
                    int next = cache.latestEpoch().orElse(0) + random.nextInt(3);
                    long start = cache.latestEntry().map(EpochEntry::startOffset).orElse(0L)
                        + random.nextInt(10);
                    cache.assign(next, start);
                    out.printf("assign\t%d\t%d\n", next, start);
                }
                case 7 -> {
                    cache.assign(epoch, offset);
                    out.printf("assign\t%d\t%d\n", epoch, offset);
                }
                default -> {
                    int asked = random.nextInt(epochs + 4) - 2;
                    long end = offsets + 1;
                    Map.Entry<Integer, Long> answer = cache.endOffsetFor(asked, end);
                    out.printf("end_offset\t%d\t%d\t%d\t%d\n", asked, end, answer.getKey(),
                        answer.getValue());
                    out.printf("epoch_for_offset\t%d\t%d\n", offset,
                        or(cache.epochForOffset(offset)));
                    out.printf("neighbours\t%d\t%d\t%d\n", epoch, or(cache.previousEpoch(epoch)),
                        or(cache.nextEpoch(epoch)));
                }
            }
            StringBuilder entries = new StringBuilder("entries");
            for (EpochEntry entry : cache.epochEntries()) {
                entries.append('\t').append(entry.epoch()).append(' ').append(entry.startOffset());
            }
            out.print(entries.append('\n'));
        }
    }

    private static int or(OptionalInt epoch) {
        return epoch.orElse(-1);
    }

    private EpochTraces() {}
}
