import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;

/**
 * Prints texts and what java.util.Properties reads from them, in hexadecimal UTF-8: the text, then
 * key=value pairs sorted by key; or "refused".
 */
public final class PropertyCases {
    private static final String[] HAND_WRITTEN = {
        "", "\n", "a", "a=", "=", "=b", ":b", " = ", "a=b", "a:b", "a b", "a\tb", "a\fb", "a = b",
        "a : b", "a  b", "a==b", "a=:b", "a = = b", "a :: b", "a\\=b=c", "a\\:b:c", "a\\ b c",
        "\\#a=b", "#a=b", "!a=b", "  # a=b", "  ! a=b", "a=#b", "a=!b", "a#b=c", "a=b\n", "a=b\r",
        "a=b\r\n", "a=b\n\n\rc=d", "a=b \n", "a= b\t\n", "a=b\\\nc", "a=b\\\n   c", "a=b\\\n\nc=d",
        "a=b\\\n  \nc=d", "a=b\\\r\n  c", "a=b\\\r\tc", "a=b\\\\\nc=d", "a=b\\\\\\\n c", "a=b\\",
        "a=b\\\\", "\\", "\\\n#x=y", "\\\n  !x=y\nz=w", "a\\\nb=c", "a\\\n =c", "#a\\\nb=c",
        "!a\\\nb=c", "a=\\\n#b", "a=x\\\n!y", "a=\\t\\n\\r\\f\\b\\q\\0", "a=\\u0041\\u00e9",
        "a=\\u00E9\\u20ac", "a=\\ud83d\\ude00", "\\u0061=b", "a=\\u", "a=\\u1", "a=\\u12g4",
        "a=\\U0041", "a=\\uu0041", "a=\\u00\\\n41", "a=b\na=c", "b=1\na=2\nb=3", "a\u00a0b=c",
        "\u00e9=\u20ac", "a=\ud83d\ude00", "a=\u2028b", "a=\u0085b", "a\u000bb=c", "a=b=c:d e",
        "\\\\a=b", "a\\b=c", "\\a=b", "  a=b", "\f a=b", "\\ a=b", "a\\\n\\\n\\\n=b",
        "a=1\\\n2\\\n3", "a=\"b\"", "a='b'", "a=\\\"b\\\"", "  \\\n  a=b", "a=b\\\n", "a=\\\n",
        "a \\\n b", "a=b\\ ", "a=b \\\n c", "\r\r\na=b", "a=\\\r\r\nb=c", "\\\n\na=b", "\\\n",
    };
    private static final String ALPHABET = "ab\\\\\\\n\n\r \t\f=:#!u0041e";

    public static void main(String[] args) {
        List<String> texts = new ArrayList<>(List.of(HAND_WRITTEN));
        Random random = new Random(20);
        for (int i = 0; i < 1500; ++i) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(24); n > 0; --n) {
                text.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
            }
            texts.add(text.toString());
        }
        for (String text : texts) System.out.println(hex(text) + "\t" + read(text));
    }

    private static String read(String text) {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(text));
        } catch (IllegalArgumentException | IOException refused) {
            return "refused";
        }
        List<String> pairs = new ArrayList<>();
        for (var pair : new TreeMap<>(properties).entrySet()) {
            pairs.add(hex(pair.getKey().toString()) + "=" + hex(pair.getValue().toString()));
        }
        return String.join(",", pairs);
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }
}
