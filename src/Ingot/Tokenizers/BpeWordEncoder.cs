using Ingot.Tokenizers.Models;

namespace Ingot.Tokenizers;

/// <summary>
/// Turns words (pre-tokens) into ids by their bytes, and remembers them. One object serves one thread at a time.
/// </summary>
internal sealed class BpeWordEncoder
{
    private const int RememberedBytes = 16 << 20;

    private readonly int[] _idOfByte;
    private readonly ByteStringMap? _wholeWords;
    private readonly int[]? _wholeWordIds;
    private readonly BpeMerger _merger;
    private readonly Remembered<int> _words = new(RememberedBytes);
    private readonly Remembered<int>.Appender _merge;

    /// <param name="idOfByte">The tokens of the 256 bytes.</param>
    /// <param name="merges">The merges.</param>
    /// <param name="wholeWords">Words that are one token whatever the merges say; null for none.</param>
    /// <param name="wholeWordIds">Their tokens.</param>
    public BpeWordEncoder(int[] idOfByte, BpeMerges merges, ByteStringMap? wholeWords = null, int[]? wholeWordIds = null)
    {
        (_idOfByte, _wholeWords, _wholeWordIds) = (idOfByte, wholeWords, wholeWordIds);
        _merger = new BpeMerger(merges);
        _merge = Merge;
    }

    /// <summary>Appends the word's ids.</summary>
    public void Encode(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (word.Length == 1)
        {
            ids.Add(_idOfByte[word[0]]);
        }
        else if (word.Length > Remembered<int>.Longest)
        {
            Merge(word, ids);
        }
        else
        {
            ids.AddRange(_words.TryGet(word, out var known) ? known : _words.Add(word, _merge));
        }
    }

    private void Merge(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (_wholeWords?.Find(word) is >= 0 and var whole)
        {
            ids.Add(_wholeWordIds![whole]);
            return;
        }

        var symbols = _merger.Reserve(word.Length);
        for (var i = 0; i < word.Length; i++)
        {
            symbols[i] = _idOfByte[word[i]];
        }

        _merger.Merge(word.Length);
        for (var i = 0; i >= 0; i = _merger.Next(i))
        {
            ids.Add(_merger.Symbol(i));
        }
    }
}
