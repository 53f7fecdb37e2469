using System.Collections;
using System.Globalization;
using System.Runtime.CompilerServices;
using Ingot.Pairs;

namespace Ingot.Training;

/// <summary>Some data to train on, and how often it is drawn.</summary>
/// <param name="Path">A file or a folder of files.</param>
/// <param name="Weight">How often it is drawn, relative to the others; null for as often as it has rows.</param>
public sealed record TrainingSource(string Path, double? Weight = null)
{
    /// <summary>Of pairs of texts: where they stand in records, and in which languages, over what the options say of all sources.</summary>
    public PairFields? Fields { get; init; }

    /// <summary>Reads "PATH" or "PATH:WEIGHT". A path that exists as it stands is a path.</summary>
    public static TrainingSource Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var colon = text.LastIndexOf(':');
        return colon > 0 && !System.IO.Path.Exists(text)
            && double.TryParse(text.AsSpan(colon + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var weight)
            ? new TrainingSource(text[..colon], weight)
            : new TrainingSource(text);
    }

    /// <inheritdoc/>
    public override string ToString() => Weight is { } weight ? string.Create(CultureInfo.InvariantCulture, $"{Path}:{weight}") : Path;
}

/// <summary>The data of a run: one source, or several that are mixed. A path by itself converts to it.</summary>
[CollectionBuilder(typeof(TrainingSources), nameof(Create))]
public sealed class TrainingSources : IReadOnlyList<TrainingSource>, IEquatable<TrainingSources>
{
    private readonly TrainingSource[] _sources;

    private TrainingSources(TrainingSource[] sources) => _sources = sources;

    /// <inheritdoc/>
    public int Count => _sources.Length;

    /// <inheritdoc/>
    public TrainingSource this[int index] => _sources[index];

    /// <summary>One source: "PATH" or "PATH:WEIGHT".</summary>
    public static implicit operator TrainingSources?(string? path) =>
        path is null ? null : new TrainingSources([TrainingSource.Parse(path)]);

    /// <summary>Several sources.</summary>
    public static TrainingSources Create(ReadOnlySpan<TrainingSource> sources) => new([.. sources]);

    /// <inheritdoc/>
    public IEnumerator<TrainingSource> GetEnumerator() => ((IEnumerable<TrainingSource>)_sources).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _sources.GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(TrainingSources? other) => other is not null && _sources.AsSpan().SequenceEqual(other._sources);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TrainingSources);

    /// <inheritdoc/>
    public override int GetHashCode() => _sources.Aggregate(0, HashCode.Combine);

    /// <inheritdoc/>
    public override string ToString() => string.Join(' ', (object[])_sources);
}
