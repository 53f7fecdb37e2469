using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ingot.Bindings;

namespace Ingot.Checkpoints;

/// <summary>
/// Saves checkpoints beside training: the state is copied, which takes as long as memory needs, and another thread writes the copy while
/// the next steps run. One save is in flight at a time; its copy's memory is used again by the next, so that memory stays flat. An error
/// of a save surfaces when its result is taken. Used from one thread.
/// </summary>
/// <example>
/// <code>
/// if (writer.TryTakeCompleted(out var done))          // each step; throws what the save threw
///     Report(done);
/// ...
/// if (writer.Wait() is { } earlier)                   // when the next one is due
///     Report(earlier);
/// var snapshot = writer.BeginSnapshot(step);
/// snapshot.AddSafetensors("model.safetensors", tensors);
/// snapshot.AddText("config.json", json);
/// writer.BeginSave(snapshot, evalLoss);               // returns at once
/// </code>
/// </example>
public sealed class CheckpointWriter : IDisposable
{
    private readonly CheckpointStore _store;
    private readonly CheckpointSnapshot _snapshot;
    private Task<Checkpoint>? _save;

    /// <summary>A writer for a store.</summary>
    /// <param name="store">Where checkpoints go; used by no one else while a save is in flight.</param>
    /// <param name="device">
    /// Whose memory the state is in: a GPU copies several times as fast into memory pinned for it. The CPU if null.
    /// </param>
    public CheckpointWriter(CheckpointStore store, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        _snapshot = new CheckpointSnapshot(device ?? Device.Cpu);
    }

    /// <summary>Whether a save is being written now.</summary>
    public bool IsSaving => _save is { IsCompleted: false };

    /// <summary>Starts a copy of the training state.</summary>
    /// <param name="step">Step whose state it is.</param>
    /// <returns>An empty snapshot, to be filled and given to <see cref="BeginSave"/>.</returns>
    /// <exception cref="InvalidOperationException">The result of the save before it was not taken.</exception>
    public CheckpointSnapshot BeginSnapshot(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (_save is not null)
            throw new InvalidOperationException("Take the result of the save before this one first, with Wait or TryTakeCompleted.");
        _snapshot.Clear(step);
        return _snapshot;
    }

    /// <summary>Starts to write a snapshot on another thread.</summary>
    /// <param name="snapshot">The snapshot that <see cref="BeginSnapshot"/> gave.</param>
    /// <param name="evalLoss">Validation loss at its step; null when it was not evaluated.</param>
    /// <param name="score">What the best checkpoint is chosen by; null for the validation loss.</param>
    public void BeginSave(CheckpointSnapshot snapshot, double? evalLoss = null, CheckpointScore? score = null)
    {
        if (!ReferenceEquals(snapshot, _snapshot) || _save is not null)
            throw new InvalidOperationException("BeginSave takes the snapshot that BeginSnapshot returned, once.");
        var (step, files) = (snapshot.Step, snapshot.Files);
        _save = Task.Factory.StartNew(
            () => _store.Save(step, files, evalLoss, score), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <summary>Asks, without waiting, whether a save was completed since the last call.</summary>
    /// <param name="checkpoint">The completed checkpoint.</param>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="CheckpointException">The save failed.</exception>
    public bool TryTakeCompleted([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        if (_save is not { IsCompleted: true } done)
            return false;
        _save = null;
        checkpoint = done.GetAwaiter().GetResult();
        return true;
    }

    /// <summary>Waits for the save in flight.</summary>
    /// <returns>Its checkpoint; null when none was in flight.</returns>
    /// <exception cref="CheckpointException">The save failed.</exception>
    public Checkpoint? Wait() => WaitAsync().GetAwaiter().GetResult();

    /// <summary>Waits for the save in flight.</summary>
    /// <returns>Its checkpoint; null when none was in flight.</returns>
    /// <exception cref="CheckpointException">The save failed.</exception>
    public async Task<Checkpoint?> WaitAsync()
    {
        if (_save is not { } save)
            return null;
        try
        {
            return await save.ConfigureAwait(false);
        }
        finally
        {
            _save = null;
        }
    }

    /// <summary>
    /// Waits for the save in flight, drops its result and frees the copy's memory. Call <see cref="WaitAsync"/> first to hear of
    /// errors.
    /// </summary>
    public void Dispose()
    {
        _save?.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Wait();
        _save = null;
        _snapshot.Dispose();
    }
}

/// <summary>
/// A copy of the training state on its way to the disk. Its memory belongs to the <see cref="CheckpointWriter"/> that gave it.
/// </summary>
public sealed unsafe class CheckpointSnapshot : IDisposable
{
    /// <summary>Tensors begin at multiples of a cache line, for the copy's sake.</summary>
    private const int Alignment = 64;

    private readonly List<CheckpointFile> _files = [];
    private readonly List<DeviceBuffer> _blocks = [];
    private readonly Device _device;
    private int _usedBlocks;

    internal CheckpointSnapshot(Device device) => _device = device;

    /// <summary>Step whose state it is.</summary>
    public long Step { get; private set; }

    internal IReadOnlyList<CheckpointFile> Files => [.. _files];

    /// <summary>Copies tensors, for a safetensors file of the checkpoint. They may change as soon as this returns.</summary>
    /// <param name="name">Name of the file.</param>
    /// <param name="tensors">The tensors.</param>
    /// <exception cref="IngotException">There is no memory for the copy.</exception>
    public void AddSafetensors(string name, IReadOnlyList<SafetensorsSource> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        long bytes = 0;
        foreach (var tensor in tensors)
            bytes = checked(bytes + Aligned(tensor.Length));
        var place = (byte*)Block(bytes);
        var copies = new List<SafetensorsSource>(tensors.Count);
        foreach (var tensor in tensors)
        {
            tensor.CopyTo(place);
            copies.Add(new SafetensorsSource(tensor.Name, tensor.Dtype, tensor.Shape, (nint)place));
            place += Aligned(tensor.Length);
        }

        _files.Add(CheckpointFile.Safetensors(name, copies));
    }

    /// <summary>Adds a file of text, UTF-8.</summary>
    /// <param name="name">Name of the file.</param>
    /// <param name="text">The content.</param>
    public void AddText(string name, string text) => _files.Add(CheckpointFile.Text(name, text));

    /// <summary>Adds a file whose content does not change any more.</summary>
    /// <param name="file">The file.</param>
    public void Add(CheckpointFile file) => _files.Add(file);

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        foreach (var block in _blocks)
            block.Dispose();
        _blocks.Clear();
        _files.Clear();
    }

    internal void Clear(long step)
    {
        Step = step;
        _files.Clear();
        _usedBlocks = 0;
    }

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>Memory for the next file: the block that the same file had last time, if it is large enough.</summary>
    private nint Block(long bytes)
    {
        bytes = Math.Max(bytes, Alignment);
        if (_usedBlocks == _blocks.Count)
            _blocks.Add(new DeviceBuffer(_device, bytes, pinned: true));
        if (_blocks[_usedBlocks].Bytes < bytes)
        {
            _blocks[_usedBlocks].Dispose();
            _blocks[_usedBlocks] = new DeviceBuffer(_device, bytes, pinned: true);
        }

        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_blocks[_usedBlocks++].Map<byte>(0, 1)));
    }
}
