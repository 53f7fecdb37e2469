using Ingot.Data.Preparation.Cleaning;
using Ingot.Data.Preparation.Readers;

namespace Ingot.Data.Preparation;

/// <summary>Records of one file that follow one another, and what became of them: the unit of work of a thread.</summary>
internal sealed class Batch(int file, long firstRecord, RecordReader reader)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _linesDone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Place of the file in the list.</summary>
    public int File => file;

    /// <summary>The file's reader, which understands records.</summary>
    public RecordReader Reader => reader;

    /// <summary>The records.</summary>
    public List<RawRecord> Records { get; } = [];

    /// <summary>Bytes of the records.</summary>
    public long RecordBytes { get; private set; }

    /// <summary>Records of the file that are done with this batch.</summary>
    public long EndRecord => firstRecord + Records.Count;

    /// <summary>Bytes of the file read by now.</summary>
    public long FilePosition { get; private set; }

    /// <summary>The documents that the rules left.</summary>
    public List<Document> Documents { get; } = [];

    /// <summary>What rules did, one tally each.</summary>
    public RuleTally[] Tallies { get; } = Cleaner.NewTallies();

    /// <summary>The batch before, whose lines come first; null once that is done, so that no batch keeps all before it.</summary>
    public Batch? Before { get; set; }

    /// <summary>How many different lines there are with this batch; cleaners are ahead of what is kept.</summary>
    public long LinesSoFar { get; set; }

    /// <summary>Adds a record.</summary>
    public void Add(in RawRecord record)
    {
        Records.Add(record);
        RecordBytes += record.Size;
        FilePosition = reader.Position;
    }

    /// <summary>Waits until the lines of the batch before have been looked up.</summary>
    public void WaitForTurn(CancellationToken ct)
    {
        Before?._linesDone.Task.Wait(ct);
        Before = null;
    }

    /// <summary>Says that this batch's lines have been looked up.</summary>
    public void EndTurn() => _linesDone.TrySetResult();

    /// <summary>Waits for the work; throws what went wrong in it.</summary>
    public void Wait(CancellationToken ct)
    {
        _done.Task.WaitAsync(ct).GetAwaiter().GetResult();
    }

    /// <summary>Says that the work is done.</summary>
    public void SetDone(Exception? problem)
    {
        EndTurn();
        Before = null;
        if (problem is null)
            _done.SetResult();
        else
            _done.SetException(problem);
    }
}
