using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// How repetitive a text is: the measures of Rae et al. 2021 (Gopher), table A1. Shares are between 0 and 1; characters are those of words,
/// or of lines and paragraphs that are not empty. Texts of fewer than 50 words, which Gopher has removed before, are not judged by n-grams.
/// </summary>
internal sealed class Repetition
{
    private const int FewWords = 50; // In "Do as you like" any two words are half of the text.

    private readonly HashCounter _counter = new();
    private readonly (double Count, double Characters)?[] _units = new (double, double)?[2];
    private bool? _hasRepeatedFive;
    private WordList _words = new();

    /// <summary>Begins with another text.</summary>
    public void Read(WordList words)
    {
        _words = words;
        _units[0] = _units[1] = null;
        _hasRepeatedFive = null;
    }

    /// <summary>Share of lines that repeat an earlier one.</summary>
    public double Lines => Units(0, "\n").Count;

    /// <summary>Share of the characters that is in lines which repeat an earlier one.</summary>
    public double LineCharacters => Units(0, "\n").Characters;

    /// <summary>Share of paragraphs (what stands between empty lines) that repeat an earlier one.</summary>
    public double Paragraphs => Units(1, "\n\n").Count;

    /// <summary>Share of the characters that is in paragraphs which repeat an earlier one.</summary>
    public double ParagraphCharacters => Units(1, "\n\n").Characters;

    /// <summary>Share of the characters that all places of the n-gram make up which comes most often; 0 if none comes twice.</summary>
    public double Top(int n)
    {
        if (_words.Count < FewWords)
            return 0;
        _counter.Reset(_words.Count);
        var (most, characters) = (1, 0L);
        for (var grams = new Ngrams(_words.Hashes, n); grams.MoveNext();)
        {
            var count = _counter.Add(grams.Hash);
            if (count < most || count == 1)
                continue;
            var length = Length(grams.Start, n);
            characters = count > most ? length : Math.Max(characters, length);
            most = count;
        }

        return Share(most * characters);
    }

    /// <summary>Share of the characters that is in n-grams which repeat an earlier one; none is counted twice.</summary>
    public double Repeated(int n)
    {
        if (_words.Count < FewWords)
            return 0;
        // Where no 5-gram repeats, no longer one does.
        if (n > 5 && !(_hasRepeatedFive ??= Repeated(5) > 0))
            return 0;
        _counter.Reset(_words.Count);
        var (repeated, counted) = (0L, 0);
        for (var grams = new Ngrams(_words.Hashes, n); grams.MoveNext();)
        {
            if (_counter.Add(grams.Hash) == 1)
                continue;
            var first = Math.Max(counted, grams.Start);
            counted = grams.Start + n;
            repeated += Length(first, counted - first);
        }

        if (n == 5)
            _hasRepeatedFive = repeated > 0;
        return Share(repeated);
    }

    private double Share(long characters) => _words.Characters == 0 ? 0 : Math.Min(1, characters / (double)_words.Characters);

    private long Length(int first, int count)
    {
        var length = 0L;
        foreach (var (_, wordLength, _) in _words.Words.Slice(first, count))
            length += wordLength;
        return length;
    }

    private (double Count, double Characters) Units(int kind, string separator)
    {
        if (_units[kind] is { } known)
            return known;
        var text = _words.Text.AsSpan();
        _counter.Reset(text.Count(separator) + 1);
        var (all, repeated, characters, repeatedCharacters) = (0, 0, 0L, 0L);
        foreach (var range in text.Split(separator))
        {
            var unit = text[range].Trim();
            if (unit.IsEmpty)
                continue;
            all++;
            characters += unit.Length;
            if (_counter.Add(XxHash3.HashToUInt64(MemoryMarshal.AsBytes(unit))) > 1)
            {
                repeated++;
                repeatedCharacters += unit.Length;
            }
        }

        var shares = all == 0 ? (0, 0) : (repeated / (double)all, repeatedCharacters / (double)characters);
        _units[kind] = shares;
        return shares;
    }
}
