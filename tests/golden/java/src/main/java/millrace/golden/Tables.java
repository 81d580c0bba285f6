package millrace.golden;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** Error codes, API keys with their versions and listeners, and the header version of each. */
final class Tables {
    private Tables() {}

    static void write(Path data) throws IOException {
        Files.createDirectories(data);
        writeRows(data.resolve("errors.tsv"), errors());
        writeRows(data.resolve("api_keys.tsv"), apiKeys());
        writeRows(data.resolve("header_versions.tsv"), headerVersions());
    }

    static void writeRows(Path file, List<String> rows) throws IOException {
        Files.writeString(file, String.join("\n", rows) + "\n");
        System.out.println(file.getFileName() + ": " + rows.size() + " rows");
    }

    private static List<String> errors() {
        List<String> rows = new ArrayList<>();
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            rows.add(error.code() + "\t" + error.name() + "\t" + (retriable ? "yes" : "no"));
        }
        return rows;
    }

    /** Keys without a valid version are those that Kafka has removed. */
    private static List<String> apiKeys() {
        List<String> rows = new ArrayList<>();
        for (ApiKeys key : ApiKeys.values()) {
            String range = key.hasValidVersion()
                ? key.oldestVersion() + "\t" + key.latestVersion()
                : "none\tnone";
            String listeners = key.messageType.listeners().stream()
                .map(listener -> listener.name().toLowerCase(Locale.ROOT))
                .sorted()
                .collect(Collectors.joining(","));
            rows.add(key.id + "\t" + key.name() + "\t" + range + "\t"
                + (key.messageType.latestVersionUnstable() ? "yes" : "no") + "\t" + listeners);
        }
        return rows;
    }

    private static List<String> headerVersions() {
        List<String> rows = new ArrayList<>();
        for (ApiKeys key : ApiKeys.values()) {
            if (!key.hasValidVersion()) {
                continue;
            }
            for (short version = key.oldestVersion(); version <= key.latestVersion(); version++) {
                rows.add(key.id + "\t" + version + "\t" + key.requestHeaderVersion(version)
                    + "\t" + key.responseHeaderVersion(version));
            }
        }
        return rows;
    }
}
