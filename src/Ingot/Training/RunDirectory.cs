using System.Globalization;
using System.Text;
using Ingot.Checkpoints;
using Ingot.Reports;

namespace Ingot.Training;

/// <summary>
/// The directory of a run: configuration, metrics, TensorBoard events, report and checkpoints. Held by one process at a time; the lock
/// goes when the process does, however it ends.
/// </summary>
public sealed class RunDirectory : IDisposable
{
    private const string LockName = ".lock";
    private const string EventsPattern = "events.out.tfevents.*";

    private readonly FileStream _lock;
    private readonly bool _made;
    private bool _overwrite;

    private RunDirectory(string path, FileStream @lock, bool made = false, bool overwrite = false)
    {
        DirectoryPath = path;
        _lock = @lock;
        _made = made;
        _overwrite = overwrite;
    }

    /// <summary>Path of the directory.</summary>
    public string DirectoryPath { get; }

    /// <summary>Name of the run: the directory's own name.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(DirectoryPath)));

    /// <summary>The resolved configuration, as JSON.</summary>
    public string ConfigPath => Path.Combine(DirectoryPath, "config.json");

    /// <summary>One <see cref="MetricsRow"/> a line.</summary>
    public string MetricsPath => Path.Combine(DirectoryPath, "metrics.jsonl");

    /// <summary>One <see cref="SampleReport"/> a line.</summary>
    public string SamplesPath => Path.Combine(DirectoryPath, "samples.jsonl");

    /// <summary>The page of <see cref="HtmlReport"/>.</summary>
    public string ReportPath => Path.Combine(DirectoryPath, "report.html");

    /// <summary>The directory of the <see cref="CheckpointStore"/>.</summary>
    public string CheckpointsPath => Path.Combine(DirectoryPath, "checkpoints");

    /// <summary>
    /// Takes the directory of a new run. The run begins with <see cref="WriteConfig"/>: a directory that is let go before is as it was.
    /// </summary>
    /// <param name="path">The directory: missing, empty, or with <paramref name="overwrite"/> an earlier run.</param>
    /// <param name="overwrite">Replaces an earlier run's files there, when the new one begins; others stay.</param>
    /// <returns>The locked directory.</returns>
    /// <exception cref="IOException">It holds a run already, is in use, or cannot be made; the message names the way out.</exception>
    public static RunDirectory Create(string path, bool overwrite = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            throw new IOException($"'{path}' is a file; give another --outputDir.");
        if (!File.Exists(Path.Combine(path, LockName)) && !overwrite)
            RefuseContents(path); // Before anything is made there: the directory may have nothing to do with training.
        var made = !Directory.Exists(path);
        var run = new RunDirectory(path, Lock(path), made, overwrite);
        try
        {
            if (!overwrite)
                RefuseContents(path); // Again: another process may have been faster.
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Opens the directory of an earlier run to continue it.</summary>
    /// <param name="path">The directory.</param>
    /// <returns>The locked directory.</returns>
    /// <exception cref="IOException">There is no run there, or it is in use.</exception>
    public static RunDirectory Resume(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
            throw new DirectoryNotFoundException($"There is no run to resume at '{path}': the directory does not exist.");
        if (!HoldsRun(path))
            throw new IOException($"There is no run to resume at '{path}': it has neither config.json nor metrics nor checkpoints.");
        return new RunDirectory(path, Lock(path));
    }

    /// <summary>Begins the run: deletes the one that it replaces, and writes the resolved configuration, never half of it.</summary>
    /// <param name="json">The JSON text.</param>
    public void WriteConfig(string json)
    {
        if (_overwrite)
            DeleteRun();
        _overwrite = false;
        DurableFile.Write(ConfigPath, stream => stream.Write(Encoding.UTF8.GetBytes(json)));
    }

    /// <summary>Opens the metrics to append to them and removes what lies after a step.</summary>
    /// <param name="lastStep">Step from which the run goes on; 0 for a new run.</param>
    /// <returns>The log.</returns>
    public StepLog<MetricsRow> OpenMetrics(long lastStep = 0) => new(MetricsPath, ReportJson.Lines.MetricsRow, row => row.Step, lastStep);

    /// <summary>Reads the metrics lazily, in the order of the file.</summary>
    /// <returns>The rows.</returns>
    public IEnumerable<MetricsRow> ReadMetrics() => StepLog<MetricsRow>.Read(MetricsPath, ReportJson.Lines.MetricsRow);

    /// <summary>Opens the samples to append to them and removes what lies after a step.</summary>
    /// <param name="lastStep">Step from which the run goes on; 0 for a new run.</param>
    /// <returns>The log.</returns>
    public StepLog<SampleReport> OpenSamples(long lastStep = 0) =>
        new(SamplesPath, ReportJson.Lines.SampleReport, sample => sample.Step, lastStep);

    /// <summary>Reads the samples lazily, in the order of the file.</summary>
    /// <returns>The samples.</returns>
    public IEnumerable<SampleReport> ReadSamples() => StepLog<SampleReport>.Read(SamplesPath, ReportJson.Lines.SampleReport);

    /// <summary>Opens the checkpoints for writing.</summary>
    /// <param name="keepLast">How many of the newest to keep besides the best; 0 keeps all.</param>
    /// <returns>The store.</returns>
    public CheckpointStore OpenCheckpoints(int keepLast = 0) => CheckpointStore.Open(CheckpointsPath, keepLast);

    /// <summary>Opens a new TensorBoard event file; one written before is continued by it.</summary>
    /// <param name="lastStep">
    /// Step from which the run goes on: TensorBoard drops what earlier files have after it. With 0, for a new run, they are deleted.
    /// </param>
    /// <returns>The writer.</returns>
    public TensorBoardWriter OpenTensorBoard(long lastStep = 0)
    {
        if (lastStep == 0)
            Array.ForEach(Directory.GetFiles(DirectoryPath, EventsPattern), File.Delete);
        return new TensorBoardWriter(DirectoryPath, lastStep);
    }

    /// <summary>Lets go of the directory; one that was made for a run that never began is removed.</summary>
    public void Dispose()
    {
        if (_lock.SafeFileHandle.IsClosed)
            return;
        if (HoldsRun(DirectoryPath))
            _lock.SetLength(0); // An empty lock file says that nobody holds it.
        else
            Remove();
        _lock.Dispose();
    }

    /// <summary>Removes the lock file, and the directory if it was made for it.</summary>
    private void Remove()
    {
        try
        {
            File.Delete(Path.Combine(DirectoryPath, LockName));
            if (_made)
                Directory.Delete(DirectoryPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody put something there meanwhile: it stays.
        }
    }

    private static FileStream Lock(string path)
    {
        var name = Path.Combine(path, LockName);
        var owner = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        try
        {
            while (true)
            {
                Directory.CreateDirectory(path);
                // FileShare.None is flock on Unix: the kernel drops it with the process.
                var stream = new FileStream(name, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
                stream.SetLength(0);
                stream.Write(Encoding.UTF8.GetBytes(owner));
                // The file may have been removed between being opened and being locked: then the lock is of no use.
                if (OperatingSystem.IsWindows() || DurableFile.ReadLocked(name) == owner)
                    return stream;
                stream.Dispose();
            }
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"'{path}' cannot be written: {e.Message} Change its permissions or give another --outputDir.", e);
        }
        catch (IOException e) when (File.Exists(name))
        {
            var holder = DurableFile.ReadLocked(name) is { Length: > 0 } pid ? $"process {pid}" : "another process";
            throw new IOException($"'{path}' is in use by {holder}. Wait until it ends, stop it, or give another --outputDir.", e);
        }
        catch (IOException e)
        {
            throw new IOException($"'{path}' cannot be made: {e.Message} Give another --outputDir.", e);
        }
    }

    private static bool HoldsRun(string path) => File.Exists(Path.Combine(path, "config.json"))
        || File.Exists(Path.Combine(path, "metrics.jsonl")) || Directory.Exists(Path.Combine(path, "checkpoints"));

    private static void RefuseContents(string path)
    {
        if (!Directory.Exists(path))
            return;
        var first = Directory.EnumerateFileSystemEntries(path).Select(Path.GetFileName)
            .FirstOrDefault(name => name is not (LockName or "config.json.tmp")); // What a kill in the first moment leaves.
        if (first is null)
            return;
        throw new IOException(HoldsRun(path)
            ? $"'{path}' already holds a run. Continue it with --resume {path}, give another --outputDir, or replace it with "
                + "--overwriteOutputDir."
            : $"'{path}' is not empty: it holds '{first}'. Give another --outputDir, or use it all the same with --overwriteOutputDir.");
    }

    /// <summary>Deletes what a run writes and nothing else: the path may be a mistake.</summary>
    private void DeleteRun()
    {
        // The configuration goes last: until then it is a run that can be replaced or done again.
        if (Directory.Exists(CheckpointsPath))
            Directory.Delete(CheckpointsPath, recursive: true);
        string[] own = [MetricsPath, SamplesPath, ReportPath, ConfigPath];
        foreach (var file in Directory.GetFiles(DirectoryPath, EventsPattern).Concat(own))
            File.Delete(file);
    }
}
