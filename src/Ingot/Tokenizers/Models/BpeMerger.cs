namespace Ingot.Tokenizers.Models;

/// <summary>
/// Merges the symbols of one word with a heap over a linked list, in time n·log n for n symbols, however long it is. One object serves one
/// thread at a time.
/// </summary>
internal sealed class BpeMerger(BpeMerges merges)
{
    // A linked list of symbols over their first places; consumed places hold -1.
    private int[] _symbols = new int[64];
    private int[] _previous = new int[64];
    private int[] _next = new int[64];
    private readonly PriorityQueue<int, ulong> _candidates = new();

    /// <summary>Where the symbols of a word go before <see cref="Merge"/>.</summary>
    public Span<int> Reserve(int length)
    {
        if (length > _symbols.Length)
        {
            var size = (int)Math.Min(Array.MaxLength, Math.Max(2L * _symbols.Length, length));
            _symbols = new int[size];
            _previous = new int[size];
            _next = new int[size];
        }

        return _symbols.AsSpan(0, length);
    }

    /// <summary>Applies the merges to the first symbols, at least one.</summary>
    public void Merge(int length)
    {
        for (var i = 0; i < length; i++)
        {
            _previous[i] = i - 1;
            _next[i] = i + 1;
        }

        _next[length - 1] = -1;
        for (var i = 0; i + 1 < length; i++)
        {
            Propose(i);
        }

        while (_candidates.TryDequeue(out var left, out var priority))
        {
            // A candidate is stale if one of its two symbols has gone or grown since it was proposed.
            var right = _symbols[left] < 0 ? -1 : _next[left];
            if (right < 0 || !merges.TryGet(_symbols[left], _symbols[right], out var rank, out var result) || (uint)rank != priority >> 32)
            {
                continue;
            }

            _symbols[left] = result;
            _symbols[right] = -1;
            _next[left] = _next[right];
            if (_next[left] >= 0)
            {
                _previous[_next[left]] = left;
                Propose(left);
            }

            if (_previous[left] >= 0)
            {
                Propose(_previous[left]);
            }
        }
    }

    /// <summary>The symbol at a place; the first is at 0.</summary>
    public int Symbol(int place) => _symbols[place];

    /// <summary>The place of the symbol after one, or -1.</summary>
    public int Next(int place) => _next[place];

    // Ordered by rank, then place.
    private void Propose(int left)
    {
        if (merges.TryGet(_symbols[left], _symbols[_next[left]], out var rank, out _))
        {
            _candidates.Enqueue(left, ((ulong)(uint)rank << 32) | (uint)left);
        }
    }
}
