namespace Ingot.Evaluation;

/// <summary>Numbers the different words of one segment, 0, 1, … as they come, so that n-grams are numbers rather than strings.</summary>
internal sealed class TokenTable
{
    private readonly CharBuffer _text = new();
    private int[] _slots = new int[256]; // A word's number + 1; 0 is free.
    private Word[] _words = new Word[64];
    private int _count;

    /// <summary>How many words there are.</summary>
    public int Count => _count;

    /// <summary>A word by its number.</summary>
    public ReadOnlySpan<char> this[int id] => _text.Span.Slice(_words[id].Start, _words[id].Length);

    /// <summary>Forgets all words.</summary>
    public void Clear()
    {
        foreach (ref readonly var word in _words.AsSpan(0, _count))
            _slots[word.Slot] = 0;
        _count = 0;
        _text.Clear();
    }

    /// <summary>The number of a word, which is a new one if the word is.</summary>
    public int Add(ReadOnlySpan<char> word)
    {
        var hash = Hash(word);
        var slot = FindSlot(word, hash);
        if (_slots[slot] != 0)
            return _slots[slot] - 1;
        if (2 * (_count + 1) > _slots.Length)
        {
            Grow();
            slot = FindSlot(word, hash);
        }

        if (_count == _words.Length)
            Array.Resize(ref _words, 2 * _count);
        _words[_count] = new Word(_text.Count, word.Length, hash, slot);
        _text.Add(word);
        _slots[slot] = ++_count;
        return _count - 1;
    }

    /// <summary>The number of a word; −1 if it was never added.</summary>
    public int Find(ReadOnlySpan<char> word) => _slots[FindSlot(word, Hash(word))] - 1;

    private static uint Hash(ReadOnlySpan<char> word)
    {
        var hash = 2166136261u;
        foreach (var c in word)
            hash = (hash ^ c) * 16777619u;
        return hash ^ (hash >> 15);
    }

    private int FindSlot(ReadOnlySpan<char> word, uint hash)
    {
        var mask = _slots.Length - 1;
        for (var slot = (int)hash & mask; ; slot = (slot + 1) & mask)
        {
            var id = _slots[slot] - 1;
            if (id < 0 || (_words[id].Hash == hash && word.SequenceEqual(this[id])))
                return slot;
        }
    }

    private void Grow()
    {
        _slots = new int[2 * _slots.Length];
        for (var id = 0; id < _count; id++)
        {
            var slot = (int)_words[id].Hash & (_slots.Length - 1);
            while (_slots[slot] != 0)
                slot = (slot + 1) & (_slots.Length - 1);
            _slots[slot] = id + 1;
            _words[id] = _words[id] with { Slot = slot };
        }
    }

    private readonly record struct Word(int Start, int Length, uint Hash, int Slot);
}
