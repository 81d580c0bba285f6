package millrace.golden;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.kafka.common.protocol.Message;

/** What the first line of one of our schema files says, and the Kafka class that answers to it. */
record SchemaFile(String stem, String kind, String name, int lowest, int highest) {

    private static final List<String> PACKAGES = List.of(
        "org.apache.kafka.common.message",
        "org.apache.kafka.coordinator.group.generated",
        "org.apache.kafka.coordinator.transaction.generated",
        "org.apache.kafka.coordinator.share.generated");

    /** All schema files below a folder, in the order of their file names. */
    static List<SchemaFile> readAll(Path folder) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(folder)) {
            paths = new ArrayList<>(walk.filter(p -> p.toString().endsWith(".schema")).toList());
        }
        paths.sort((a, b) -> a.getFileName().toString().compareTo(b.getFileName().toString()));
        List<SchemaFile> files = new ArrayList<>();
        for (Path path : paths) {
            files.add(read(path));
        }
        return files;
    }

    private static SchemaFile read(Path path) throws IOException {
        String[] words = Files.readAllLines(path).get(0).trim().split("\\s+");
        String stem = path.getFileName().toString().replace(".schema", "");
        for (String word : words) {
            if (word.startsWith("versions=")) {
                String[] range = word.substring("versions=".length()).split("-");
                int lowest = Integer.parseInt(range[0]);
                int highest = range.length > 1 ? Integer.parseInt(range[1]) : lowest;
                return new SchemaFile(stem, words[0], words[1], lowest, highest);
            }
        }
        throw new IllegalArgumentException(path + ": no versions= on the first line");
    }

    /** The generated class, or null if this Kafka has none. */
    Class<?> kafkaClass() {
        boolean api = kind.equals("request") || kind.equals("response") || kind.equals("header");
        String simple = api ? name + "Data" : name;
        for (String packageName : PACKAGES) {
            try {
                return Class.forName(packageName + "." + simple);
            } catch (ClassNotFoundException absent) {
                // The next package may hold it.
            }
        }
        return null;
    }

    /** The message as "-", then its structs by name. */
    static Map<String, Class<?>> structs(Class<?> message) {
        Map<String, Class<?>> structs = new TreeMap<>();
        structs.put("-", message);
        for (Class<?> nested : message.getDeclaredClasses()) {
            if (Message.class.isAssignableFrom(nested)) {
                structs.put(nested.getSimpleName(), nested);
            }
        }
        return structs;
    }

    /** Protocol fields have package access; the private ones are the class's own bookkeeping. */
    static List<Field> protocolFields(Class<?> struct) {
        return Arrays.stream(struct.getDeclaredFields())
            .filter(field -> !Modifier.isStatic(field.getModifiers()))
            .filter(field -> !Modifier.isPrivate(field.getModifiers()))
            .toList();
    }
}
