using System.Runtime.InteropServices;
using Ingot.Tokenizers.Models;

namespace Ingot.Tokenizers;

/// <summary>
/// Turns words (pre-tokens) into ids by their bytes. Most words of a text come again and again, so their ids are remembered. One object
/// serves one thread at a time.
/// </summary>
/// <param name="idOfByte">The tokens of the 256 bytes.</param>
/// <param name="merges">The merges.</param>
/// <param name="wholeWords">Words that are one token whatever the merges say; null for none.</param>
/// <param name="wholeWordIds">Their tokens.</param>
internal sealed class BpeWordEncoder(int[] idOfByte, BpeMerges merges, ByteStringMap? wholeWords = null, int[]? wholeWordIds = null)
{
    // Longer words hardly ever come twice. When the cache is full it starts anew: cheaper than finding out what to keep.
    private const int LongestRememberedWord = 64;
    private const int RememberedBytes = 16 << 20;

    private readonly ByteStringMap _words = new();
    private readonly List<int> _wordEnds = []; // In _wordIds, by word number.
    private readonly List<int> _wordIds = [];
    private readonly BpeMerger _merger = new(merges);

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
        if (wholeWords?.Find(word) is >= 0 and var whole)
        {
            ids.Add(wholeWordIds![whole]);
            return;
        }

        var symbols = _merger.Reserve(word.Length);
        for (var i = 0; i < word.Length; i++)
        {
            symbols[i] = idOfByte[word[i]];
        }

        _merger.Merge(word.Length);
        for (var i = 0; i >= 0; i = _merger.Next(i))
        {
            ids.Add(_merger.Symbol(i));
        }
    }
}
