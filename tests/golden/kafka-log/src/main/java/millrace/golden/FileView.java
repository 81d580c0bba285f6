package millrace.golden;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.StringJoiner;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.storage.internals.log.AbortedTxn;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.TransactionIndex;

/** "FileView LOGS FILE": what Kafka's own classes read in the files of a stopped node. */
public final class FileView {
    private static final int ATTRIBUTES_OFFSET = 21;

    private FileView() {}

    public static void main(String[] args) throws Exception {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])))) {
            for (Path folder : list(Path.of(args[0]), "")) {
                if (Files.isDirectory(folder)) {
                    out.println("partition\t" + folder.getFileName());
                    partition(folder, out);
                }
            }
        }
    }

    private static List<Path> list(Path folder, String suffix) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(suffix))
                    .sorted(Comparator.naturalOrder()).toList();
        }
    }

    private static void partition(Path folder, PrintWriter out) throws IOException {
        for (Path log : list(folder, ".log")) {
            byte[] bytes = Files.readAllBytes(log);
            String name = log.getFileName().toString().replace(".log", "");
            long base = Long.parseLong(name);
            out.println("segment\t" + base + "\t" + bytes.length);
            long position = 0;
            for (MutableRecordBatch batch :
                    MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
                batch((DefaultRecordBatch) batch, position, out);
                position += batch.sizeInBytes();
            }
            entries(folder.resolve(name + ".index"), base, out);
            times(folder.resolve(name + ".timeindex"), base, out);
            Path aborted = folder.resolve(name + ".txnindex");
            if (Files.exists(aborted)) {
                aborted(base, aborted, out);
            }
        }
        for (Path snapshot : list(folder, ".snapshot")) {
            String name = snapshot.getFileName().toString().replace(".snapshot", "");
            out.println("snapshot\t" + Long.parseLong(name));
            for (ProducerStateEntry e : ProducerStateManager.readSnapshot(snapshot.toFile())) {
                BatchMetadata last = e.batchMetadata().stream().findFirst().orElse(
                        new BatchMetadata(-1, -1, 0, -1));
                out.println(row("producer", e.producerId(), e.producerEpoch(), last.lastSeq(),
                        last.lastOffset(), last.offsetDelta(), e.lastTimestamp(),
                        e.coordinatorEpoch(), e.currentTxnFirstOffset().orElse(-1)));
            }
        }
    }

    private static void batch(DefaultRecordBatch batch, long position, PrintWriter out) {
        batch.ensureValid();
        ByteBuffer raw = ByteBuffer.allocate(batch.sizeInBytes());
        batch.writeTo(raw);
        out.println(row("batch", position, batch.sizeInBytes(), batch.baseOffset(),
                batch.lastOffset(), batch.partitionLeaderEpoch(), raw.getShort(ATTRIBUTES_OFFSET),
                batch.baseTimestamp(), batch.maxTimestamp(), batch.producerId(),
                batch.producerEpoch(), batch.baseSequence(), batch.countOrNull(),
                batch.checksum()));
        for (Record record : batch) {
            out.println(String.join("\t", "record", Long.toString(record.offset()),
                    Long.toString(record.timestamp()), text(Utils.toNullableArray(record.key())),
                    text(Utils.toNullableArray(record.value())), headers(record.headers())));
        }
    }

    /** Up to the first entry of zeros: what follows was never written. */
    private static void entries(Path file, long base, PrintWriter out) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        while (bytes.remaining() >= 8) {
            int offset = bytes.getInt();
            int position = bytes.getInt();
            if (offset == 0 && position == 0) {
                return;
            }
            out.println(row("offset_entry", base + offset, position));
        }
    }

    private static void times(Path file, long base, PrintWriter out) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        while (bytes.remaining() >= 12) {
            long timestamp = bytes.getLong();
            int offset = bytes.getInt();
            if (timestamp == 0) {
                return;
            }
            out.println(row("time_entry", timestamp, base + offset));
        }
    }

    private static void aborted(long base, Path file, PrintWriter out) throws IOException {
        try (TransactionIndex index = new TransactionIndex(base, file.toFile())) {
            for (AbortedTxn txn : index.allAbortedTxns()) {
                out.println(row("aborted", txn.producerId(), txn.firstOffset(), txn.lastOffset(),
                        txn.lastStableOffset()));
            }
        }
    }

    private static String row(String kind, Number... numbers) {
        StringJoiner row = new StringJoiner("\t").add(kind);
        for (Number number : numbers) {
            row.add(number.toString());
        }
        return row.toString();
    }

    /** As it is where it is plain, "x" and hex where not, "null". */
    private static String text(byte[] bytes) {
        if (bytes == null) {
            return "null";
        }
        String plain = new String(bytes, StandardCharsets.US_ASCII);
        return plain.matches("[ !#-+.-9:;<=>?@A-Z_a-wyz-][ !#-+.-9:;<=>?@A-Z_a-z-]*")
                        && !plain.equals("null")
                ? plain
                : "x" + HexFormat.of().formatHex(bytes);
    }

    private static String headers(Header[] headers) {
        StringJoiner joined = new StringJoiner(",").setEmptyValue("-");
        for (Header header : headers) {
            joined.add(text(header.key().getBytes(StandardCharsets.UTF_8)) + "="
                    + text(header.value()));
        }
        return joined.toString();
    }
}
