package millrace.golden;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Writes the table of hashes; README.md says what its columns are. */
public final class Hashes {
    private static final HexFormat HEX = HexFormat.of();
    private static final int KEY_PARTITIONS = 1000;
    private static final int STATE_PARTITIONS = 50;

    // Bytes on both sides of every border between kinds of bytes in UTF-8.
    private static final int[] UTF8_BORDERS = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
        0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
    };

    public static void main(String[] arguments) throws IOException {
        try (PrintStream out = new PrintStream(arguments[0], StandardCharsets.UTF_8)) {
            for (byte[] key : keys()) printKey(out, key);
            for (String string : strings()) {
                printString(out, string.getBytes(StandardCharsets.UTF_8));
            }
            for (byte[] bytes : malformed()) printString(out, bytes);
            for (int first : UTF8_BORDERS) printSequences(out, first);
        }
    }

    private static void printKey(PrintStream out, byte[] key) {
        CRC32 crc32 = new CRC32();
        crc32.update(key);
        out.printf("key\t%s\t%d\t%d\t%d\n", HEX.formatHex(key), Utils.murmur2(key),
            BuiltInPartitioner.partitionForKey(key, KEY_PARTITIONS), crc32.getValue());
    }

    // As Kafka reads strings from the wire, and as its coordinators choose a partition by them.
    private static void printString(PrintStream out, byte[] bytes) {
        int hash = new String(bytes, StandardCharsets.UTF_8).hashCode();
        out.printf("string\t%s\t%d\t%d\n", HEX.formatHex(bytes), hash,
            Utils.abs(hash) % STATE_PARTITIONS);
    }

    // All sequences of one to four border bytes that begin with `first`, in one number.
    private static void printSequences(PrintStream out, int first) {
        int combined = 0;
        int count = 0;
        List<byte[]> sequences = List.of(new byte[] {(byte) first});
        for (int length = 1; length <= 4; ++length) {
            List<byte[]> longer = new ArrayList<>();
            for (byte[] sequence : sequences) {
                combined = combined * 31 + new String(sequence, StandardCharsets.UTF_8).hashCode();
                ++count;
                for (int border : UTF8_BORDERS) {
                    byte[] next = Arrays.copyOf(sequence, length + 1);
                    next[length] = (byte) border;
                    longer.add(next);
                }
            }
            sequences = longer;
        }
        out.printf("sequences\t%02x\t%d\t%d\n", first, count, combined);
    }

    private static List<byte[]> keys() {
        List<byte[]> keys = new ArrayList<>();
        for (int length = 0; length <= 17; ++length) {
            byte[] zeros = new byte[length];
            byte[] ones = new byte[length];
            byte[] counted = new byte[length];
            for (int i = 0; i < length; ++i) {
                ones[i] = (byte) 0xff;
                counted[i] = (byte) (i + 1);
            }
            keys.add(zeros);
            if (length > 0) {
                keys.add(ones);
                keys.add(counted);
            }
        }
        for (String text : List.of(
                "a", "key", "kafka", "orders-2024", "user:12345", "żółw", "鍵", "😀")) {
            keys.add(text.getBytes(StandardCharsets.UTF_8));
        }
        Random random = new Random(1);
        for (int i = 0; i < 200; ++i) keys.add(randomBytes(random, 1 + random.nextInt(64)));
        for (int length : new int[] {255, 256, 257, 1000}) keys.add(randomBytes(random, length));
        return keys;
    }

    private static byte[] randomBytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static List<String> strings() {
        List<String> strings = new ArrayList<>(List.of(
            "", "a", "group", "orders", "my-consumer-group", "connect-cluster",
            "transactional-id-17",
            // The hash of this one is the lowest integer.
            "polygenelubricants",
            "\0", "a\0b", "\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff",
            "żółw", "группа", "消费者组", "مجموعة",
            "😀", "a😀b", "\ud800\udc00", "\udbff\udfff", "👩\u200d👩\u200d👧"));
        Random random = new Random(2);
        for (int i = 0; i < 100; ++i) {
            StringBuilder string = new StringBuilder();
            for (int length = random.nextInt(40); length > 0; --length) {
                string.appendCodePoint(codePoint(random));
            }
            strings.add(string.toString());
        }
        strings.add("long".repeat(250));
        strings.add("😀é".repeat(100));
        return strings;
    }

    private static int codePoint(Random random) {
        int[] limits = {0x80, 0x800, 0xd800, 0x110000};
        int codePoint = random.nextInt(limits[random.nextInt(limits.length)]);
        return Character.isBmpCodePoint(codePoint) && Character.isSurrogate((char) codePoint)
            ? 'x' : codePoint;
    }

    private static List<byte[]> malformed() {
        List<byte[]> malformed = new ArrayList<>();
        for (String hex : List.of(
                "80", "ff", "c3", "e282", "f09f98", "c0af", "e09fbf", "eda080", "edbfbf",
                "eda0bdedb880", "f0808080", "f4908080", "61e28262", "61f09f9862", "eda0", "ed",
                "f0", "f09f")) {
            malformed.add(HEX.parseHex(hex));
        }
        Random random = new Random(3);
        for (int i = 0; i < 100; ++i) malformed.add(randomBytes(random, 1 + random.nextInt(24)));
        return malformed;
    }

    private Hashes() {}
}
