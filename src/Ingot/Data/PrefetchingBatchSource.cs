using System.Runtime.ExceptionServices;

namespace Ingot.Data;

/// <summary>
/// Reads the next batches on a thread of its own while the model works on the present one. The batches and positions are those of the
/// source behind it, which nobody else may use meanwhile. It keeps a fixed ring of batches and allocates nothing while it runs.
/// </summary>
public sealed class PrefetchingBatchSource : IBatchSource, IDisposable
{
    private sealed class Slot(Batch batch)
    {
        public Batch Batch { get; } = batch;

        public BatchPosition After { get; set; }

        public double Epochs { get; set; }
    }

    private readonly IBatchSource _source;
    private readonly Slot[] _ring;
    private readonly Thread _thread;
    private readonly object _gate = new();

    // Guarded by the gate; the slots from _first on, _count of them, belong to Next, the others to the thread.
    private int _first;
    private int _count;
    private bool _stopping;
    private ExceptionDispatchInfo? _error;

    /// <summary>Begins to read ahead.</summary>
    /// <param name="source">Gives the batches.</param>
    /// <param name="depth">How many batches to read ahead, at least 1.</param>
    public PrefetchingBatchSource(IBatchSource source, int depth = 4)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        _source = source;
        (Position, Epochs) = (source.Position, source.Epochs);
        (BatchSize, SequenceLength, HasSegments) = (source.BatchSize, source.SequenceLength, source.HasSegments);
        SourceLength = source.SourceLength;
        BatchesPerEpoch = source.BatchesPerEpoch;
        _ring = [.. Enumerable.Range(0, depth).Select(_ => new Slot(source.NewBatch()))];
        _thread = new Thread(ReadAhead) { IsBackground = true, Name = "Ingot batches" };
        _thread.Start();
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasSegments { get; }

    /// <inheritdoc/>
    public int SourceLength { get; }

    /// <inheritdoc/>
    public double BatchesPerEpoch { get; }

    /// <inheritdoc/>
    public double Epochs { get; private set; }

    /// <inheritdoc/>
    /// <remarks>It belongs to the batch that was handed out last, however far the thread has read ahead.</remarks>
    public BatchPosition Position { get; private set; }

    /// <inheritdoc/>
    /// <remarks>What went wrong on the thread comes out here, after the batches that were read before it.</remarks>
    public void Next(Batch batch)
    {
        BatchShape.Check(batch, this);
        Slot slot;
        lock (_gate)
        {
            while (_count == 0 && _error is null && !_stopping)
            {
                Monitor.Wait(_gate);
            }

            ObjectDisposedException.ThrowIf(_stopping, this);
            if (_count == 0)
            {
                _error!.Throw();
            }

            slot = _ring[_first];
        }

        batch.CopyFrom(slot.Batch);
        (Position, Epochs) = (slot.After, slot.Epochs);
        lock (_gate)
        {
            _first = (_first + 1) % _ring.Length;
            _count--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Stops the thread.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
    }

    private void ReadAhead()
    {
        try
        {
            while (true)
            {
                Slot slot;
                lock (_gate)
                {
                    while (_count == _ring.Length && !_stopping)
                    {
                        Monitor.Wait(_gate);
                    }

                    if (_stopping)
                    {
                        return;
                    }

                    slot = _ring[(_first + _count) % _ring.Length];
                }

                _source.Next(slot.Batch);
                (slot.After, slot.Epochs) = (_source.Position, _source.Epochs);
                lock (_gate)
                {
                    _count++;
                    Monitor.PulseAll(_gate);
                }
            }
        }
        catch (Exception e)
        {
            lock (_gate)
            {
                _error = ExceptionDispatchInfo.Capture(e);
                Monitor.PulseAll(_gate);
            }
        }
    }
}
