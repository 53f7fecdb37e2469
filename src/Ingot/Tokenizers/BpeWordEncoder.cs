using System.Runtime.InteropServices;

namespace Ingot.Tokenizers;

/// <summary>
/// Turns words (pre-tokens) into ids. Most words of a text come again and again, so their ids are remembered; a new word is merged with a
/// heap over a linked list, in time n·log n for n bytes, however long it is. One object serves one thread at a time.
/// </summary>
internal sealed class BpeWordEncoder(int[] idOfByte, BpeMerges merges)
{
    // Longer words hardly ever come twice. When the cache is full it starts anew: cheaper than finding out what to keep.
    private const int LongestRememberedWord = 64;
    private const int RememberedBytes = 16 << 20;

    private readonly ByteStringMap _words = new();
    private readonly List<int> _wordEnds = []; // In _wordIds, by word number.
    private readonly List<int> _wordIds = [];

    // The word at work, as a linked list of symbols over its bytes' places; consumed places hold -1.
    private int[] _symbols = new int[64];
    private int[] _previous = new int[64];
    private int[] _next = new int[64];
    private readonly PriorityQueue<int, ulong> _candidates = new();

    /// <summary>Appends the word's ids.</summary>
    public void Encode(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (word.Length == 1)
        {
            ids.Add(idOfByte[word[0]]);
            return;
        }

        if (word.Length > LongestRememberedWord)
        {
            Merge(word, ids);
            return;
        }

        var index = _words.Find(word);
        if (index < 0)
        {
            index = Remember(word);
        }

        var start = index == 0 ? 0 : _wordEnds[index - 1];
        ids.AddRange(CollectionsMarshal.AsSpan(_wordIds)[start.._wordEnds[index]]);
    }

    private int Remember(ReadOnlySpan<byte> word)
    {
        if (_words.ByteCount > RememberedBytes)
        {
            _words.Clear();
            _wordEnds.Clear();
            _wordIds.Clear();
        }

        var index = _words.FindOrAdd(word, out _);
        Merge(word, _wordIds);
        _wordEnds.Add(_wordIds.Count);
        return index;
    }

    private void Merge(ReadOnlySpan<byte> word, List<int> ids)
    {
        Reserve(word.Length);
        for (var i = 0; i < word.Length; i++)
        {
            _symbols[i] = idOfByte[word[i]];
            _previous[i] = i - 1;
            _next[i] = i + 1;
        }

        _next[word.Length - 1] = -1;
        for (var i = 0; i + 1 < word.Length; i++)
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

        for (var i = 0; i >= 0; i = _next[i])
        {
            ids.Add(_symbols[i]);
        }
    }

    // Ordered by rank, then place.
    private void Propose(int left)
    {
        if (merges.TryGet(_symbols[left], _symbols[_next[left]], out var rank, out _))
        {
            _candidates.Enqueue(left, ((ulong)(uint)rank << 32) | (uint)left);
        }
    }

    private void Reserve(int length)
    {
        if (length > _symbols.Length)
        {
            var size = (int)Math.Min(Array.MaxLength, Math.Max(2L * _symbols.Length, length));
            _symbols = new int[size];
            _previous = new int[size];
            _next = new int[size];
        }
    }
}
