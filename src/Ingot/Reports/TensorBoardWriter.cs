using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Ingot.Reports;

/// <summary>
/// Writes a TensorBoard event file: records of hand-encoded protobuf messages, each guarded by CRC-32C. Thread-safe. Scalars and text are
/// in TensorBoard's current form, a tensor and the name of the plug-in that shows it.
/// </summary>
public sealed class TensorBoardWriter : IDisposable
{
    private static int _files;

    private readonly FileStream _file;
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly ProtoWriter _event = new();
    private readonly ProtoWriter _summary = new();
    private readonly ProtoWriter _value = new();
    private readonly ProtoWriter _part = new();
    private readonly ProtoWriter _inner = new();

    /// <summary>Starts a new event file in a directory.</summary>
    /// <param name="directory">The run's directory, to which TensorBoard's --logdir points; made when missing.</param>
    /// <param name="lastStep">
    /// Step from which a resumed run goes on: TensorBoard drops what earlier files of the directory hold after it. 0 for a new run.
    /// </param>
    /// <param name="time">Clock of the events.</param>
    public TensorBoardWriter(string directory, long lastStep = 0, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        _time = time ?? TimeProvider.System;
        Directory.CreateDirectory(directory);
        var seconds = _time.GetUtcNow().ToUnixTimeSeconds().ToString("D10", CultureInfo.InvariantCulture);
        var file = Interlocked.Increment(ref _files) - 1;
        FilePath = Path.Combine(directory, $"events.out.tfevents.{seconds}.{Environment.MachineName}.{Environment.ProcessId}.{file}");
        _file = new FileStream(FilePath, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite);

        BeginEvent(0);
        _event.Bytes(3, "brain.Event:2"u8);
        EndEvent();
        if (lastStep > 0)
        {
            // SessionLog{status: START}: events of this step and later that were written before are superseded.
            BeginEvent(lastStep + 1);
            _part.Clear();
            _part.Varint(1, 1);
            _event.Message(7, _part);
            EndEvent();
        }

        Flush();
    }

    /// <summary>Path of the event file.</summary>
    public string FilePath { get; }

    /// <summary>Adds a point of a curve.</summary>
    /// <param name="tag">Name of the curve; the part before a slash groups curves.</param>
    /// <param name="value">The value.</param>
    /// <param name="step">Its step.</param>
    public void AddScalar(string tag, float value, long step)
    {
        lock (_gate)
        {
            _part.Clear();
            _part.Varint(1, 1); // dtype: DT_FLOAT
            _inner.Clear();
            _part.Message(2, _inner); // tensor_shape: a scalar
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
            _part.Bytes(4, bytes); // tensor_content
            AddValue(tag, "scalars"u8, step);
        }
    }

    /// <summary>Adds a text, shown as Markdown.</summary>
    /// <param name="tag">Name of the series.</param>
    /// <param name="text">The text.</param>
    /// <param name="step">Its step.</param>
    public void AddText(string tag, string text, long step)
    {
        lock (_gate)
        {
            _part.Clear();
            _part.Varint(1, 7); // dtype: DT_STRING
            _inner.Clear();
            _part.Message(2, _inner);
            _part.Bytes(8, Encoding.UTF8.GetBytes(text)); // string_val
            AddValue(tag, "text"u8, step);
        }
    }

    /// <summary>Hands what was added to the system, so that a running TensorBoard sees it.</summary>
    public void Flush()
    {
        lock (_gate)
            _file.Flush();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        lock (_gate)
            _file.Dispose();
    }

    /// <summary>CRC-32C, rotated and offset, so that a CRC over data that itself holds CRCs stays strong.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        while (data.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[8..];
        }

        foreach (var b in data)
            crc = BitOperations.Crc32C(crc, b);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }

    /// <summary>Puts the tensor in <see cref="_part"/> into a summary of one value.</summary>
    private void AddValue(string tag, ReadOnlySpan<byte> plugin, long step)
    {
        BeginEvent(step);
        _value.Clear();
        _value.Bytes(1, Encoding.UTF8.GetBytes(tag));
        _value.Message(8, _part); // tensor
        _inner.Clear();
        _inner.Bytes(1, plugin); // plugin_name
        _part.Clear();
        _part.Message(1, _inner); // plugin_data
        _value.Message(9, _part); // metadata
        _summary.Clear();
        _summary.Message(1, _value);
        _event.Message(5, _summary);
        EndEvent();
    }

    private void BeginEvent(long step)
    {
        _event.Clear();
        _event.Double(1, (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);
        if (step != 0)
            _event.Varint(2, step);
    }

    /// <summary>Writes the record: length, CRC of the length, data, CRC of the data.</summary>
    private void EndEvent()
    {
        Span<byte> head = stackalloc byte[12];
        var data = _event.Written;
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], MaskedCrc(head[..8]));
        _file.Write(head);
        _file.Write(data);
        BinaryPrimitives.WriteUInt32LittleEndian(head, MaskedCrc(data));
        _file.Write(head[..4]);
    }
}
