using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Data.Preparation.Duplicates;

/// <summary>
/// Finds documents that repeat an earlier one, exactly or nearly. Only documents that are kept are compared with, so that the result
/// depends
/// on the order of the input alone.
/// </summary>
internal sealed class DuplicateFinder : IDisposable
{
    private readonly HashIndex<UInt128>? _exact;
    private readonly NearDuplicateIndex? _near;
    private readonly SignatureFile _kept;
    private readonly ushort[] _signature = new ushort[MinHash.Length];

    /// <summary>Begins with the documents in the file, so many.</summary>
    /// <param name="path">The file of signatures.</param>
    /// <param name="count">Documents kept before an interruption.</param>
    /// <param name="settings">Which duplicates are looked for.</param>
    /// <param name="budget">Memory for tables.</param>
    public DuplicateFinder(string path, long count, RuleSettings settings, MemoryBudget budget)
    {
        var threshold = settings["nearDuplicates"];
        _kept = new SignatureFile(path, threshold is null ? 0 : MinHash.Length, count);
        _exact = settings["duplicateDocuments"] is null ? null : new HashIndex<UInt128>(budget);
        _near = threshold is null ? null : new NearDuplicateIndex(threshold.Value, _kept, budget);
        for (var i = 0L; i < count; i++)
        {
            var hash = _kept.Read(i, _signature.AsSpan(0, threshold is null ? 0 : MinHash.Length));
            _exact?.Add(hash);
            if (HasSignature(_signature))
                _near?.Add(i, _signature);
        }
    }

    /// <summary>Documents kept so far.</summary>
    public long Count => _kept.Count;

    /// <summary>The rule by which a document is a duplicate, and how similar it is; null if it is none. Then it is noted.</summary>
    public (int Rule, string? Measured)? FindOrAdd(Document document)
    {
        if (_exact?.Contains(document.Hash) == true)
            return (RuleTable.IndexOf("duplicateDocuments"), null);
        if (_near is not null)
        {
            _signature.AsSpan().Clear();
            if (document.Signature is { } signature)
            {
                NearDuplicateIndex.Shorten(signature, _signature);
                if (_near.Find(_signature) is { } similarity)
                    return (RuleTable.IndexOf("nearDuplicates"), $"similarity {Rule.Number(similarity)}");
                _near.Add(_kept.Count, _signature);
            }
        }

        _exact?.Add(document.Hash);
        _kept.Add(document.Hash, _near is null ? [] : _signature);
        return null;
    }

    /// <summary>Makes what was noted durable.</summary>
    public void FlushToDisk() => _kept.FlushToDisk();

    /// <inheritdoc/>
    public void Dispose()
    {
        _exact?.Dispose();
        _near?.Dispose();
        _kept.Dispose();
    }

    // A document without words has none; all zeros do not come by chance.
    private static bool HasSignature(ReadOnlySpan<ushort> signature) => signature.ContainsAnyExcept((ushort)0);
}
