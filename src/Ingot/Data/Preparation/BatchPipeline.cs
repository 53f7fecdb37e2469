using System.Collections.Concurrent;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Data.Preparation;

/// <summary>
/// Reads on one thread, works on batches on several, and hands them out in the order of the input. So many batches are under way at most
/// that memory stays bounded, however large the input is. What a batch is depends on the input alone.
/// </summary>
internal sealed class BatchPipeline
{
    private const int BatchBytes = 1 << 20, BatchRecords = 4096;

    private readonly IReadOnlyList<SourceFile> _files;
    private readonly PreparationOptions _options;
    private readonly int _threads;
    private readonly Action<Batch, CancellationToken> _work;

    /// <summary>Makes a pipeline.</summary>
    /// <param name="files">What to read.</param>
    /// <param name="options">How to read it.</param>
    /// <param name="threads">Threads that work on batches.</param>
    /// <param name="work">What they do; called by several threads at once.</param>
    public BatchPipeline(IReadOnlyList<SourceFile> files, PreparationOptions options, int threads, Action<Batch, CancellationToken> work) =>
        (_files, _options, _threads, _work) = (files, options, threads, work);

    /// <summary>Runs from a place in the input to its end.</summary>
    /// <param name="firstFile">The file to begin with.</param>
    /// <param name="firstRecord">Records of that file to pass over.</param>
    /// <param name="ct">Stops the work.</param>
    public IEnumerable<Batch> Run(int firstFile, long firstRecord, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var inOrder = new BlockingCollection<Batch>((2 * _threads) + 2);
        using var waiting = new BlockingCollection<Batch>();
        Exception? problem = null;
        var threads = new List<Thread> { Start(Read, "reader") };
        for (var i = 0; i < _threads; i++)
            threads.Add(Start(Work, "cleaner"));
        try
        {
            foreach (var batch in inOrder.GetConsumingEnumerable(ct))
            {
                batch.Wait(ct);
                yield return batch;
            }

            if (problem is not null)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(problem);
        }
        finally
        {
            stop.Cancel();
            threads.ForEach(thread => thread.Join());
        }

        void Read()
        {
            try
            {
                Batch? before = null;
                foreach (var batch in ReadBatches(firstFile, firstRecord, stop.Token))
                {
                    batch.Before = before;
                    before = batch;
                    inOrder.Add(batch, stop.Token);
                    waiting.Add(batch, stop.Token);
                }
            }
            catch (Exception e)
            {
                problem = e;
            }
            finally
            {
                inOrder.CompleteAdding();
                waiting.CompleteAdding();
            }
        }

        void Work()
        {
            try
            {
                foreach (var batch in waiting.GetConsumingEnumerable(stop.Token))
                {
                    try
                    {
                        _work(batch, stop.Token);
                        batch.SetDone(null);
                    }
                    catch (Exception e)
                    {
                        batch.SetDone(e);
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // Whoever waits for the result has stopped waiting.
            }
        }
    }

    private static Thread Start(ThreadStart work, string name)
    {
        var thread = new Thread(work) { IsBackground = true, Name = $"ingot {name}" };
        thread.Start();
        return thread;
    }

    private IEnumerable<Batch> ReadBatches(int firstFile, long skip, CancellationToken ct)
    {
        for (var file = firstFile; file < _files.Count; file++, skip = 0)
        {
            using var reader = RecordReader.Open(_files[file], _options);
            for (var i = 0L; i < skip; i++)
            {
                ct.ThrowIfCancellationRequested();
                if (!reader.Read(out _))
                    throw new InvalidDataException($"{_files[file].Path} has fewer records than before. Begin again with overwriteOutput.");
            }

            var batch = new Batch(file, skip, reader);
            while (reader.Read(out var record))
            {
                batch.Add(record);
                if (batch.RecordBytes < BatchBytes && batch.Records.Count < BatchRecords)
                    continue;
                yield return batch;
                batch = new Batch(file, batch.EndRecord, reader);
            }

            if (batch.Records.Count > 0)
                yield return batch;
        }
    }
}
