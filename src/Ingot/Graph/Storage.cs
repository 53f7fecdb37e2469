using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>What a storage is for, and so who allocates it and how long its content lasts.</summary>
public enum StorageKind
{
    /// <summary>Lives from its first write to its last read inside one run; the planner places it in the arena.</summary>
    Temporary,

    /// <summary>A model's weight in the compute dtype; shared by all programs of the model.</summary>
    Parameter,

    /// <summary>The gradient of a parameter, fp32; shared by the programs of a training run.</summary>
    Gradient,

    /// <summary>Written by the host before a run (tokens, learning rate), or kept from run to run (key/value cache).</summary>
    Input,

    /// <summary>Read by the host after a run (loss, tapped tensors).</summary>
    Output,

    /// <summary>Filled once when the program is compiled (rotary tables).</summary>
    Constant,
}

/// <summary>A piece of memory that tensors are views of.</summary>
public sealed class Storage
{
    internal Storage(string name, StorageKind kind, DType dtype, long elements)
    {
        Name = name;
        Kind = kind;
        DType = dtype;
        Elements = elements;
    }

    /// <summary>Name: a parameter's or input's own, or the label of the call that writes a temporary.</summary>
    public string Name { get; }

    /// <summary>What it is for.</summary>
    public StorageKind Kind { get; internal set; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Number of elements.</summary>
    public long Elements { get; }

    /// <summary>Size in bytes.</summary>
    public long Bytes => checked(Elements * DType.Size());

    /// <summary>Content of a constant, little-endian.</summary>
    public byte[]? InitialData { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Kind}, {Elements:N0} x {DType})";
}
