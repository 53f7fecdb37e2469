namespace Ingot.Data;

/// <summary>
/// Bin packing by first fit (Johnson 1973): an item goes into the first bin that has room for it, or a new one. A tree over the bins that
/// knows the most room in each half finds it in logarithmic time.
/// </summary>
internal sealed class FirstFit(int capacity)
{
    // A binary heap's layout: the children of node i are 2i and 2i + 1, the bins are the leaves.
    private int[] _room = [0, capacity];
    private int _leaves = 1;

    /// <summary>How many bins have something in them.</summary>
    public int Bins { get; private set; }

    /// <summary>Puts an item into a bin.</summary>
    /// <param name="size">Its size, from 1 to the capacity.</param>
    /// <returns>The bin's number.</returns>
    public int Place(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, capacity);
        if (_room[1] < size)
            Double();
        var node = 1;
        while (node < _leaves)
            node = _room[2 * node] >= size ? 2 * node : (2 * node) + 1;
        var bin = node - _leaves;
        _room[node] -= size;
        for (node /= 2; node > 0; node /= 2)
            _room[node] = Math.Max(_room[2 * node], _room[(2 * node) + 1]);
        Bins = Math.Max(Bins, bin + 1);
        return bin;
    }

    private void Double()
    {
        var (old, leaves) = (_room, checked(2 * _leaves));
        _room = new int[2 * leaves];
        Array.Fill(_room, capacity);
        Array.Copy(old, _leaves, _room, leaves, _leaves);
        for (var node = leaves - 1; node > 0; node--)
            _room[node] = Math.Max(_room[2 * node], _room[(2 * node) + 1]);
        _leaves = leaves;
    }
}
