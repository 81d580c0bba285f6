package millrace.golden;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Chooses the values of one instance. A shape is made anew for each instance and draws from a seed
 * made of message, version and label, so that the same instance always comes out.
 */
final class Shape {
    enum Label {
        DEFAULT, DEFAULT_ELEMENTS, FULL_1, FULL_2, MIXED_1, MIXED_2, MIN, MAX, EMPTY, NULLS,
        NULL_LEAVES, LONG, UNKNOWN_TAGS;

        String text() {
            return name().toLowerCase().replace('_', '-');
        }
    }

    private static final String MULTIBYTE = "h\u00e9 \u20ac\ud83d\ude00\u65e5\"\\\t\u0000/";
    private static final int[] LONG_LENGTHS = {126, 127, 128, 300};

    private final Label label;
    private final Random random;
    private final Set<String> visitedFields = new HashSet<>();
    private int longLengthsUsed;
    private boolean longArrayUsed;

    Shape(Label label, long seed) {
        this.label = label;
        this.random = new Random(seed);
    }

    Label label() {
        return label;
    }

    /** Whether scalar fields are set at all, or keep what Java's constructor gave them. */
    boolean setsScalars() {
        return switch (label) {
            case DEFAULT, DEFAULT_ELEMENTS, NULLS, NULL_LEAVES -> false;
            default -> true;
        };
    }

    /** Asked once for each field that may be null. */
    boolean makesNull(boolean array) {
        return switch (label) {
            case NULLS -> true;
            case NULL_LEAVES -> !array;
            case MIXED_1, MIXED_2 -> random.nextInt(3) == 0;
            default -> false;
        };
    }

    /** Asked once for each field: some of a mixed instance stay as they are. */
    boolean keepsDefault() {
        return isMixed() && random.nextInt(3) == 0;
    }

    private boolean isMixed() {
        return label == Label.MIXED_1 || label == Label.MIXED_2;
    }

    boolean addsUnknownTags() {
        return label == Label.UNKNOWN_TAGS;
    }

    boolean mustDifferFromDefault() {
        return label == Label.FULL_1 || label == Label.FULL_2;
    }

    /** Number of elements of an array at a depth, or -1 to leave the default. */
    int structArrayLength(int depth) {
        return switch (label) {
            case DEFAULT -> -1;
            case EMPTY -> 0;
            case FULL_1 -> 2;
            case MIXED_1, MIXED_2 -> random.nextInt(4);
            case LONG -> depth == 0 ? 3 : 1;
            default -> 1;
        };
    }

    int scalarArrayLength() {
        switch (label) {
            case DEFAULT, DEFAULT_ELEMENTS:
                return -1;
            case EMPTY:
                return 0;
            case FULL_1, FULL_2:
                return 1 + random.nextInt(3);
            case MIXED_1, MIXED_2:
                return random.nextInt(4);
            case LONG:
                if (!longArrayUsed) {
                    longArrayUsed = true;
                    return 130;
                }
                return 3;
            default:
                return 1;
        }
    }

    long integer(long min, long max) {
        return switch (label) {
            case MIN -> min;
            case MAX -> max;
            case EMPTY -> 0;
            default -> randomInteger(min, max);
        };
    }

    /** Small and large numbers alike: the number of bits is drawn first, then the bits. */
    private long randomInteger(long min, long max) {
        int bits = 1 + random.nextInt(64 - Long.numberOfLeadingZeros(max));
        long value = random.nextLong() >>> (64 - bits);
        boolean negative = min < 0 && random.nextInt(4) == 0;
        return negative ? -value - 1 : value;
    }

    boolean bool() {
        return label != Label.MIN && label != Label.EMPTY
            && (label == Label.MAX || random.nextBoolean());
    }

    double float64() {
        return switch (label) {
            case MIN -> -Double.MAX_VALUE;
            case MAX -> Double.MAX_VALUE;
            case EMPTY -> 0.0;
            default -> (random.nextDouble() - 0.5) * 1e9;
        };
    }

    Uuid uuid() {
        return switch (label) {
            case MIN -> new Uuid(Long.MIN_VALUE, Long.MIN_VALUE);
            case MAX -> new Uuid(-1L, -1L);
            case EMPTY -> Uuid.ZERO_UUID;
            default -> new Uuid(random.nextLong(), random.nextLong());
        };
    }

    String string(String field) {
        return switch (label) {
            case EMPTY -> "";
            case MAX -> MULTIBYTE;
            case LONG -> visitedFields.add(field)
                ? repeated(nextLongLength())
                : "s" + random.nextInt(9);
            default -> randomWord();
        };
    }

    private String randomWord() {
        StringBuilder word = new StringBuilder();
        int length = 1 + random.nextInt(9);
        for (int i = 0; i < length; i++) {
            word.append((char) ('a' + random.nextInt(26)));
        }
        if (random.nextInt(6) == 0) {
            word.append('\u00fc');
        }
        return word.toString();
    }

    byte[] bytes(String field) {
        return switch (label) {
            case EMPTY, MIN -> new byte[0];
            case LONG -> visitedFields.add(field)
                ? repeated(nextLongLength()).getBytes(StandardCharsets.UTF_8)
                : new byte[] {(byte) random.nextInt(256)};
            default -> {
                byte[] drawn = new byte[1 + random.nextInt(8)];
                random.nextBytes(drawn);
                yield drawn;
            }
        };
    }

    private int nextLongLength() {
        return LONG_LENGTHS[longLengthsUsed++ % LONG_LENGTHS.length];
    }

    private static String repeated(int length) {
        return "0123456789".repeat(length / 10 + 1).substring(0, length);
    }

    /** One true batch in the first full shape; else opaque bytes, which a codec must pass on. */
    MemoryRecords records(String field) {
        if (label != Label.FULL_1) {
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(field)));
        }
        SimpleRecord record = new SimpleRecord(1_700_000_000_000L,
            "key".getBytes(StandardCharsets.UTF_8), "value".getBytes(StandardCharsets.UTF_8));
        return MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 0L, Compression.NONE,
            TimestampType.CREATE_TIME, record);
    }

    /** Payloads of unknown tags: empty, a few bytes, and enough for a size of two bytes. */
    List<byte[]> unknownTagPayloads() {
        byte[] few = new byte[3];
        byte[] many = new byte[130];
        random.nextBytes(few);
        Arrays.fill(many, few[0]);
        return List.of(new byte[0], few, many);
    }
}
