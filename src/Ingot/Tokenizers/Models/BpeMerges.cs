namespace Ingot.Tokenizers.Models;

/// <summary>
/// The merges of a BPE vocabulary in the order in which they were learnt, and the encoding that applies them: always the earliest learnt
/// merge of those that apply, from left to right.
/// </summary>
internal sealed class BpeMerges
{
    private readonly Dictionary<ulong, Merge> _byPair;

    /// <summary>Makes the table. A pair that stands twice has its last place, as in Hugging Face's libraries.</summary>
    public BpeMerges(IReadOnlyList<BpeMerge> merges)
    {
        _byPair = new Dictionary<ulong, Merge>(merges.Count);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            Set(merges[rank], rank);
        }
    }

    /// <summary>Gives a merge a rank; while merges are found out, and no other thread looks.</summary>
    public void Set(BpeMerge merge, int rank) => _byPair[Key(merge.Left, merge.Right)] = new Merge(rank, merge.Result);

    /// <summary>The merge of two neighbours, if there is one.</summary>
    public bool TryGet(int left, int right, out int rank, out int result)
    {
        var found = _byPair.TryGetValue(Key(left, right), out var merge);
        (rank, result) = merge;
        return found;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private readonly record struct Merge(int Rank, int Result);
}

/// <summary>Two neighbouring tokens that become one.</summary>
/// <param name="Left">Id of the left token.</param>
/// <param name="Right">Id of the right token.</param>
/// <param name="Result">Id of the token whose bytes are those of both.</param>
internal readonly record struct BpeMerge(int Left, int Right, int Result);
