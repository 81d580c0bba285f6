package millrace.golden;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes every golden file of the storage below the directory that is given. */
public final class Storage {
    /** Writes the files of one format. */
    interface Generator {
        void write(Path directory) throws Exception;
    }

    private static final List<Generator> GENERATORS = List.of(
        CleanerTraces::write,
        DirectoryNames::write,
        EpochTraces::write,
        ProducerSnapshots::write,
        ProducerTraces::write,
        TextFiles::write);

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        Files.createDirectories(directory);
        for (Generator generator : GENERATORS) generator.write(directory);
    }

    private Storage() {}
}
