namespace Ingot.Tokenizers;

/// <summary>
/// Finds the keys that a text begins with. A node's children lie one after another in flat arrays, in the order of their bytes, so a
/// vocabulary makes no objects. Immutable.
/// </summary>
internal sealed class ByteTrie
{
    public const int Root = 0;

    // Node n: its label, and where its children begin; they end where those of n + 1 begin.
    private readonly byte[] _labels;
    private readonly int[] _firstChild;
    private readonly int[] _values;
    private readonly int[] _childOfRoot = new int[256];

    /// <summary>Takes distinct keys that are not empty; a key's value is its place.</summary>
    public ByteTrie(IReadOnlyList<byte[]> keys)
    {
        var order = Enumerable.Range(0, keys.Count).ToArray();
        Array.Sort(order, (a, b) => keys[a].AsSpan().SequenceCompareTo(keys[b]));
        var labels = new List<byte> { 0 };
        var firstChild = new List<int>();
        var values = new List<int> { -1 };

        // Level by level: a node stands for the keys from Start to End, which agree in the first Depth bytes.
        var nodes = new Queue<(int Start, int End, int Depth)>();
        nodes.Enqueue((0, order.Length, 0));
        while (nodes.TryDequeue(out var node))
        {
            firstChild.Add(labels.Count);
            var start = node.Start;
            if (start < node.End && keys[order[start]].Length == node.Depth)
            {
                values[firstChild.Count - 1] = order[start++];
            }

            while (start < node.End)
            {
                var label = keys[order[start]][node.Depth];
                var end = start + 1;
                while (end < node.End && keys[order[end]][node.Depth] == label)
                {
                    end++;
                }

                labels.Add(label);
                values.Add(-1);
                nodes.Enqueue((start, end, node.Depth + 1));
                start = end;
            }
        }

        firstChild.Add(labels.Count);
        (_labels, _firstChild, _values) = ([.. labels], [.. firstChild], [.. values]);
        Array.Fill(_childOfRoot, -1);
        for (var child = _firstChild[Root]; child < _firstChild[Root + 1]; child++)
        {
            _childOfRoot[_labels[child]] = child;
        }
    }

    /// <summary>The node behind a byte, or -1.</summary>
    public int Step(int node, byte b)
    {
        if (node == Root)
        {
            return _childOfRoot[b];
        }

        var (start, end) = (_firstChild[node], _firstChild[node + 1]);
        var place = _labels.AsSpan(start, end - start).IndexOf(b);
        return place < 0 ? -1 : start + place;
    }

    /// <summary>The place of the key that ends at a node, or -1.</summary>
    public int ValueAt(int node) => _values[node];
}
