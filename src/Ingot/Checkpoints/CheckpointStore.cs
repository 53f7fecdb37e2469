using System.Diagnostics;
using System.Globalization;

namespace Ingot.Checkpoints;

/// <summary>A checkpoint that is complete on disk.</summary>
/// <param name="Step">Step whose state it holds.</param>
/// <param name="Path">Its folder.</param>
/// <param name="EvalLoss">Validation loss at that step; null when it was not evaluated.</param>
/// <param name="Bytes">Size of its files together.</param>
/// <param name="Duration">Time that writing took; zero for one that was found on disk.</param>
public sealed record Checkpoint(long Step, string Path, double? EvalLoss, long Bytes, TimeSpan Duration);

/// <summary>A checkpoint could not be written; those before it are intact.</summary>
public sealed class CheckpointException : IOException
{
    /// <summary>A failure with a message for people.</summary>
    /// <param name="message">What failed, where, and the way out.</param>
    /// <param name="cause">The error underneath, if there is one.</param>
    public CheckpointException(string message, Exception? cause = null)
        : base(message, cause)
    {
    }
}

/// <summary>
/// The checkpoints of a run: folders <c>step-00001000</c>, each complete or not there at all. A checkpoint is written under a hidden
/// name, flushed, renamed, and only then are older ones pruned, so that a kill or a power cut at any moment leaves the newest complete
/// one in place. Not thread-safe; one process at a time may write.
/// </summary>
/// <remarks>
/// Hidden names in the directory: <c>.tmp-step-N</c> is being written, <c>.old-step-N</c> is being replaced, <c>.del-step-N</c> is being
/// deleted. <see cref="Open"/> clears up what a killed process left of them.
/// </remarks>
public sealed class CheckpointStore
{
    /// <summary>Name of the link to the best checkpoint: that with the lowest validation loss, unless they have other scores.</summary>
    public const string BestLink = "best";

    private const string Prefix = "step-";
    private const string Writing = ".tmp-";
    private const string Replaced = ".old-";
    private const string Deleting = ".del-";

    /// <summary>Space left free beyond the files themselves: manifest, folder, the file system's own records.</summary>
    private const long Slack = 1 << 20;

    // Of the file that is being written; a run saves many files, many times.
    private readonly byte[] _buffer;

    private CheckpointStore(string directory, int keepLast)
    {
        _buffer = keepLast < 0 ? [] : new byte[1 << 16];
        Directory = directory;
        KeepLast = keepLast;
    }

    /// <summary>The directory that holds the checkpoints.</summary>
    public string Directory { get; }

    /// <summary>How many of the newest checkpoints are kept besides the best one; 0 keeps all.</summary>
    public int KeepLast { get; }

    /// <summary>Opens a run's checkpoints for writing and clears up after killed processes. The caller must own the run.</summary>
    /// <param name="directory">The directory; made when it is missing.</param>
    /// <param name="keepLast">How many of the newest to keep besides the best; 0 keeps all.</param>
    /// <returns>The store.</returns>
    public static CheckpointStore Open(string directory, int keepLast = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentOutOfRangeException.ThrowIfNegative(keepLast);
        System.IO.Directory.CreateDirectory(directory);
        var store = new CheckpointStore(directory, keepLast);
        store.ClearUp();
        return store;
    }

    /// <summary>Opens checkpoints only to read them, also those of a run that another process trains: nothing on disk is touched.</summary>
    /// <param name="directory">The directory.</param>
    /// <returns>The store; saving to it is an error.</returns>
    public static CheckpointStore OpenReadOnly(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        return new CheckpointStore(directory, keepLast: -1);
    }

    /// <summary>Steps that have a checkpoint, oldest first, unverified.</summary>
    /// <returns>The steps.</returns>
    public IReadOnlyList<long> Steps() => System.IO.Directory.Exists(Directory)
        ? [.. System.IO.Directory.EnumerateDirectories(Directory, Prefix + "*")
            .Select(path => StepOf(Path.GetFileName(path))).OfType<long>().Order()]
        : [];

    /// <summary>
    /// The newest checkpoint whose every file is as it was written. Worse ones are named, skipped and left for the user to see.
    /// </summary>
    /// <param name="onWarning">Told of each checkpoint that is skipped, and why.</param>
    /// <returns>The checkpoint, or null when there is none.</returns>
    public Checkpoint? FindLatestValid(Action<string>? onWarning = null)
    {
        foreach (var step in Steps().Reverse())
        {
            if (Validate(step, out var problem) is { } checkpoint)
                return checkpoint;
            onWarning?.Invoke($"Checkpoint '{PathOf(step)}' is unusable and is skipped: {problem}.");
        }

        return null;
    }

    /// <summary>The checkpoint of a step, with every file verified.</summary>
    /// <param name="step">The step.</param>
    /// <param name="problem">What is wrong when the result is null.</param>
    /// <returns>The checkpoint, or null.</returns>
    public Checkpoint? Validate(long step, out string problem)
    {
        var path = PathOf(step);
        (var manifest, problem) = CheckpointManifest.Read(path, step);
        if (manifest is null)
            return null;
        problem = manifest.Verify(path) ?? "";
        return problem.Length == 0
            ? new Checkpoint(step, path, manifest.EvalLoss, manifest.Files.Sum(file => file.Bytes), TimeSpan.Zero)
            : null;
    }

    /// <summary>
    /// The step with the best score among those on disk, the earliest of equals; null when none was evaluated. The score is the validation
    /// loss unless others were saved; of several metrics, that of the newest step counts. Reads the manifests, does not verify the files.
    /// </summary>
    /// <returns>The step, or null.</returns>
    public long? BestStep()
    {
        (long Step, CheckpointScore Score)? best = null;
        foreach (var step in Steps())
        {
            if (CheckpointManifest.Read(PathOf(step), step).Manifest?.Judgement is { } score && score.GainOver(best?.Score) > 0)
                best = (step, score);
        }

        return best?.Step;
    }

    /// <summary>
    /// Writes a checkpoint and returns when it is safe on disk; then deletes what <see cref="KeepLast"/> no longer covers. Checkpoints of
    /// later steps are deleted too: the run went back before them, and they belong to a history that it has left.
    /// </summary>
    /// <param name="step">Step whose state it holds.</param>
    /// <param name="files">What it holds.</param>
    /// <param name="evalLoss">Validation loss at that step; null when it was not evaluated.</param>
    /// <param name="score">What the best checkpoint is chosen by; null for the validation loss.</param>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="CheckpointException">
    /// The disk is full or failed; nothing of the new checkpoint is left, older ones are intact.
    /// </exception>
    public Checkpoint Save(long step, IReadOnlyList<CheckpointFile> files, double? evalLoss = null, CheckpointScore? score = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (KeepLast < 0)
            throw new InvalidOperationException($"The checkpoints in '{Directory}' were opened for reading only.");
        if (files.GroupBy(file => file.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"The checkpoint has two files named '{twice.Key}'.", nameof(files));

        var started = Stopwatch.GetTimestamp();
        var needed = checked(files.Sum(file => file.Length) + Slack);
        var temporary = Path.Combine(Directory, Writing + NameOf(step));
        try
        {
            CheckSpace(step, needed);
            WriteFolder(temporary, step, files, evalLoss, score);
            PutInPlace(temporary, step);
        }
        catch (Exception e)
        {
            // Whatever failed, the partial folder goes; a disk that is full needs the space back.
            TryDelete(temporary);
            PutBack(Path.Combine(Directory, Replaced + NameOf(step)));
            if (e is CheckpointException or not (IOException or UnauthorizedAccessException))
                throw;
            throw Failure(step, needed, e);
        }

        foreach (var later in Steps().Where(other => other > step))
            Remove(later);
        LinkBest();
        Prune();
        return new Checkpoint(step, PathOf(step), evalLoss, files.Sum(file => file.Length), Stopwatch.GetElapsedTime(started));
    }

    private static string NameOf(long step) => Prefix + step.ToString("D8", CultureInfo.InvariantCulture);

    private static long? StepOf(string name) =>
        long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step) && name == NameOf(step)
            ? step
            : null;

    private void WriteFolder(string folder, long step, IReadOnlyList<CheckpointFile> files, double? evalLoss, CheckpointScore? score)
    {
        if (System.IO.Directory.Exists(folder))
            System.IO.Directory.Delete(folder, recursive: true);
        System.IO.Directory.CreateDirectory(folder);
        var entries = new List<CheckpointManifest.Entry>(files.Count);
        foreach (var file in files)
            entries.Add(WriteFile(folder, file));
        var manifest = CheckpointManifest.Create(step, double.IsFinite(evalLoss ?? double.NaN) ? evalLoss : null, score, entries);
        WriteFile(folder, CheckpointFile.Manifest(manifest));
        DurableFile.FlushDirectory(folder);
    }

    private CheckpointManifest.Entry WriteFile(string folder, CheckpointFile file)
    {
        using var stream = new HashingStream(Path.Combine(folder, file.Name), _buffer);
        file.WriteTo(stream);
        if (stream.Length != file.Length)
        {
            throw new InvalidOperationException(
                $"The writer of '{file.Name}' announced {file.Length:N0} bytes and wrote {stream.Length:N0}.");
        }

        stream.FlushToDisk();
        return new CheckpointManifest.Entry(file.Name, file.Length, CheckpointManifest.Format(stream.Hash));
    }

    private string PathOf(long step) => Path.Combine(Directory, NameOf(step));

    private void PutInPlace(string temporary, long step)
    {
        var path = PathOf(step);
        var replaced = Path.Combine(Directory, Replaced + NameOf(step));
        if (System.IO.Directory.Exists(path))
        {
            // The step was saved before and is done again: after a resume from an earlier one, or because that one is corrupt.
            TryDelete(replaced);
            System.IO.Directory.Move(path, replaced);
        }

        System.IO.Directory.Move(temporary, path);
        DurableFile.FlushDirectory(Directory);
        TryDelete(replaced);
    }

    private void Prune()
    {
        if (KeepLast == 0)
            return;
        var best = BestStep();
        foreach (var step in Steps().SkipLast(KeepLast).Where(step => step != best))
            Remove(step);
    }

    private void Remove(long step)
    {
        // Under another name first: a kill half-way through the deletion must not leave a checkpoint that looks corrupt.
        var doomed = Path.Combine(Directory, Deleting + NameOf(step));
        TryDelete(doomed);
        if (TryMove(PathOf(step), doomed))
            TryDelete(doomed);
    }

    /// <summary>
    /// Points the link at the best checkpoint. It is for people; the manifests are what counts, so a failure is no error.
    /// </summary>
    private void LinkBest()
    {
        var link = Path.Combine(Directory, BestLink);
        try
        {
            var target = BestStep() is { } best ? NameOf(best) : null;
            var current = new FileInfo(link).LinkTarget;
            if (current == target)
                return;
            if (current is not null)
                File.Delete(link);
            if (target is not null)
                System.IO.Directory.CreateSymbolicLink(link, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private void ClearUp()
    {
        foreach (var path in System.IO.Directory.GetDirectories(Directory))
        {
            var name = Path.GetFileName(path);
            if (name.StartsWith(Replaced + Prefix, StringComparison.Ordinal))
                PutBack(path);
            else if (name.StartsWith(Writing + Prefix, StringComparison.Ordinal))
                TryDelete(path);
            else if (name.StartsWith(Deleting + Prefix, StringComparison.Ordinal))
                TryDelete(path);
        }

        LinkBest();
    }

    /// <summary>
    /// Ends a replacement that stopped between its two renames: the old checkpoint is still what the run has, unless the new one is in
    /// place.
    /// </summary>
    private void PutBack(string replaced)
    {
        var original = Path.Combine(Directory, Path.GetFileName(replaced)[Replaced.Length..]);
        if (System.IO.Directory.Exists(original) || !TryMove(replaced, original))
            TryDelete(replaced);
    }

    private void CheckSpace(long step, long needed)
    {
        if (FreeSpace() is { } free && free < needed)
            throw Failure(step, needed, null);
    }

    /// <summary>Bytes that this user may still write there; null where the file system does not say.</summary>
    private long? FreeSpace()
    {
        try
        {
            return new DriveInfo(Path.GetFullPath(Directory)).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private CheckpointException Failure(long step, long needed, Exception? cause)
    {
        var space = $"{Megabytes(needed)} are needed{(FreeSpace() is { } free ? $", {Megabytes(free)} are free" : "")}";
        var newest = Steps() is { Count: > 0 } steps
            ? $"The checkpoints before it are intact, the newest is '{NameOf(steps[^1])}'"
            : "There is no earlier checkpoint";
        return new CheckpointException(
            $"Checkpoint '{PathOf(step)}' was not written{(cause is null ? "" : $" ({cause.Message.TrimEnd('.')})")}: {space}. {newest}. "
            + "Free some space or keep fewer checkpoints (saveTotalLimit), then resume the run.",
            cause);
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString(bytes < 10e6 ? "N1" : "N0", CultureInfo.InvariantCulture) + " MB";

    private static bool TryMove(string from, string to)
    {
        try
        {
            System.IO.Directory.Move(from, to);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Deletes a folder if it can; one that stays is cleared up when the store is opened next.</summary>
    private static void TryDelete(string folder)
    {
        try
        {
            System.IO.Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
