package millrace.golden;

import java.util.concurrent.ScheduledFuture;
import org.apache.kafka.server.util.Scheduler;

/** A scheduler that does at once what is to be done once, and never what is periodic. */
final class Immediately implements Scheduler {
    static final Scheduler SCHEDULER = new Immediately();

    @Override
    public ScheduledFuture<?> schedule(String name, Runnable task, long delay, long period) {
        if (period <= 0 && delay == 0) task.run();
        return null;
    }

    @Override
    public void startup() {}

    @Override
    public void shutdown() {}

    @Override
    public void resizeThreadPool(int size) {}

    private Immediately() {}
}
