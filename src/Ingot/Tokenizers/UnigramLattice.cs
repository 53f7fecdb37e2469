namespace Ingot.Tokenizers;

/// <summary>
/// All ways to write a word with pieces that have log probabilities, for training: the best of them, and how often each piece is expected
/// if every way comes with its probability (forward-backward). One object serves one thread at a time.
/// </summary>
/// <param name="trie">The pieces. Every character of a word is one.</param>
/// <param name="scores">Their log probabilities.</param>
internal sealed class UnigramLattice(ByteTrie trie, double[] scores)
{
    private readonly List<(int Start, int End, int Id)> _edges = []; // By their starts.
    private double[] _forward = [];
    private double[] _backward = [];
    private int[] _bestEdge = [];

    /// <summary>Adds to every piece how often it is expected in a word.</summary>
    /// <param name="word">UTF-8.</param>
    /// <param name="count">How often the word comes.</param>
    /// <param name="expected">By piece.</param>
    /// <returns>The log probability of the word.</returns>
    public double AddExpected(ReadOnlySpan<byte> word, long count, double[] expected)
    {
        FindEdges(word, withWhole: true);
        var forward = Cleared(ref _forward, word.Length, double.NegativeInfinity);
        var backward = Cleared(ref _backward, word.Length, double.NegativeInfinity);
        forward[0] = 0;
        foreach (var (start, end, id) in _edges)
        {
            forward[end] = LogSum(forward[end], forward[start] + scores[id]);
        }

        backward[word.Length] = 0;
        for (var i = _edges.Count - 1; i >= 0; i--)
        {
            var (start, end, id) = _edges[i];
            backward[start] = LogSum(backward[start], backward[end] + scores[id]);
        }

        var all = forward[word.Length];
        foreach (var (start, end, id) in _edges)
        {
            expected[id] += count * Math.Exp(forward[start] + scores[id] + backward[end] - all);
        }

        return all;
    }

    /// <summary>The pieces of the best way to write a word, from right to left.</summary>
    /// <param name="word">UTF-8.</param>
    /// <param name="withWhole">Whether the whole word may be one piece.</param>
    /// <param name="pieces">Where they go, in the place of what is there. None if there is no way.</param>
    public void Best(ReadOnlySpan<byte> word, bool withWhole, List<int> pieces)
    {
        pieces.Clear();
        FindEdges(word, withWhole);
        var best = Cleared(ref _forward, word.Length, double.NegativeInfinity);
        var from = Cleared(ref _bestEdge, word.Length, -1);
        best[0] = 0;
        for (var i = 0; i < _edges.Count; i++)
        {
            var (start, end, id) = _edges[i];
            if (best[start] + scores[id] > best[end])
            {
                (best[end], from[end]) = (best[start] + scores[id], i);
            }
        }

        for (var end = word.Length; end > 0 && from[end] >= 0; end = _edges[from[end]].Start)
        {
            pieces.Add(_edges[from[end]].Id);
        }
    }

    private static Span<T> Cleared<T>(ref T[] array, int length, T value)
    {
        if (array.Length <= length)
        {
            array = new T[Math.Max(64, 2 * (length + 1))];
        }

        var span = array.AsSpan(0, length + 1);
        span.Fill(value);
        return span;
    }

    private static double LogSum(double a, double b)
    {
        var (high, low) = a > b ? (a, b) : (b, a);
        return low == double.NegativeInfinity ? high : high + Math.Log(1 + Math.Exp(low - high));
    }

    private void FindEdges(ReadOnlySpan<byte> word, bool withWhole)
    {
        _edges.Clear();
        for (var start = 0; start < word.Length; start++)
        {
            if ((word[start] & 0xC0) == 0x80)
            {
                continue;
            }

            var node = ByteTrie.Root;
            for (var end = start; end < word.Length && (node = trie.Step(node, word[end])) >= 0;)
            {
                end++;
                if (trie.ValueAt(node) is >= 0 and var id && (withWhole || end - start < word.Length))
                {
                    _edges.Add((start, end, id));
                }
            }
        }
    }
}
