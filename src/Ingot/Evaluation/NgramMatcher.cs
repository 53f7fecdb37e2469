namespace Ingot.Evaluation;

/// <summary>
/// Counts how many n-grams of a hypothesis its references have, each at most as often as the reference that has it most often: the
/// clipped counts of BLEU, and the matches of chrF and ROUGE.
/// </summary>
/// <remarks>
/// An n-gram is known by the number of its first n − 1 tokens and the number of its last, which together are its key: no strings, and no
/// collisions that would change a score. The n-grams of the references alone are kept. Where one of the hypothesis is not among them,
/// no longer one with the same beginning is.
/// </remarks>
internal sealed class NgramMatcher(int maxOrder)
{
    private int[] _slots = new int[1024]; // An n-gram's number + 1; 0 is free.
    private Ngram[] _ngrams = new Ngram[256];
    private int _count;
    private int _references;

    /// <summary>Forgets the references.</summary>
    public void Clear()
    {
        foreach (ref readonly var ngram in _ngrams.AsSpan(0, _count))
            _slots[ngram.Slot] = 0;
        (_count, _references) = (0, 0);
    }

    /// <summary>Adds the n-grams of a reference, n from 1 to the greatest.</summary>
    public void AddReference(ReadOnlySpan<int> tokens)
    {
        _references++;
        for (var start = 0; start < tokens.Length; start++)
        {
            var prefix = 0;
            foreach (var token in tokens.Slice(start, Math.Min(maxOrder, tokens.Length - start)))
            {
                var id = Add(prefix, token);
                ref var ngram = ref _ngrams[id];
                if (ngram.Reference != _references)
                    (ngram.Reference, ngram.Count) = (_references, 0);
                ngram.Most = Math.Max(ngram.Most, ++ngram.Count);
                prefix = id + 1;
            }
        }
    }

    /// <summary>Adds the matches of a hypothesis of order n to <paramref name="matches"/>[n − 1]. Once after the references.</summary>
    public void Match(ReadOnlySpan<int> tokens, Span<double> matches)
    {
        for (var start = 0; start < tokens.Length; start++)
        {
            var prefix = 0;
            var longest = Math.Min(maxOrder, tokens.Length - start);
            for (var n = 0; n < longest; n++)
            {
                var id = _slots[FindSlot(Key(prefix, tokens[start + n]))] - 1;
                if (id < 0)
                    break;
                ref var ngram = ref _ngrams[id];
                if (ngram.Matched < ngram.Most)
                {
                    ngram.Matched++;
                    matches[n]++;
                }

                prefix = id + 1;
            }
        }
    }

    private static ulong Key(int prefix, int token) => ((ulong)(uint)prefix << 32) | (uint)token;

    private int Add(int prefix, int token)
    {
        var key = Key(prefix, token);
        var slot = FindSlot(key);
        if (_slots[slot] != 0)
            return _slots[slot] - 1;
        if (2 * (_count + 1) > _slots.Length)
        {
            Grow();
            slot = FindSlot(key);
        }

        if (_count == _ngrams.Length)
            Array.Resize(ref _ngrams, 2 * _count);
        _ngrams[_count] = new Ngram { Key = key, Slot = slot };
        _slots[slot] = ++_count;
        return _count - 1;
    }

    private int FindSlot(ulong key)
    {
        var mask = _slots.Length - 1;
        for (var slot = (int)((key * 0x9E3779B97F4A7C15) >> 32) & mask; ; slot = (slot + 1) & mask)
        {
            var id = _slots[slot] - 1;
            if (id < 0 || _ngrams[id].Key == key)
                return slot;
        }
    }

    private void Grow()
    {
        _slots = new int[2 * _slots.Length];
        for (var id = 0; id < _count; id++)
        {
            var slot = FindSlot(_ngrams[id].Key);
            _ngrams[id].Slot = slot;
            _slots[slot] = id + 1;
        }
    }

    private struct Ngram
    {
        public ulong Key;
        public int Slot;
        public int Most; // In one reference.
        public int Count; // In this reference.
        public int Reference;
        public int Matched;
    }
}
