using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.Models;

/// <summary>
/// Unigram (Kudo 2018): of all ways to write a word the one whose pieces have the greatest sum of scores (log probabilities), found by
/// Viterbi's algorithm. A character that is no piece scores ten less than the worst piece; unknown characters that follow each other are
/// one token.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;
    private const double Never = -1e30; // JSON has no infinity.
    private const int ShortWord = 128; // In bytes; for shorter ones there is room on the stack.

    private readonly double[] _scores;
    private readonly int? _unkId;
    private readonly bool _byteFallback;
    private readonly int[] _idOfByte;
    private readonly double _unknownScore;
    private readonly ByteTrie _trie;

    /// <param name="vocabulary">Pieces, ids from 0 on without gaps.</param>
    /// <param name="scores">By id; negative infinity for a piece that has an id and is never used.</param>
    /// <param name="unkId">Token of what cannot be written; null for none.</param>
    /// <param name="byteFallback">Unknown characters become tokens of their bytes, if those are there.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int? unkId, bool byteFallback)
    {
        (Vocabulary, _scores, _unkId, _byteFallback) = (vocabulary, scores, unkId, byteFallback);
        _unknownScore = scores.Where(double.IsFinite).DefaultIfEmpty().Min() - UnknownPenalty;
        _idOfByte = [.. Enumerable.Range(0, 256).Select(b => byteFallback ? vocabulary.Find($"<0x{b:X2}>") : -1)];
        _trie = new ByteTrie([.. vocabulary.Tokens.Select(Encoding.UTF8.GetBytes)]);
    }

    public override string Type => "Unigram";

    public override Vocabulary Vocabulary { get; }

    public override string Summary =>
        $"Unigram, {Vocabulary.Count:#,0} pieces" + (_unkId is { } unk ? $", unknown {Vocabulary[unk]}" : "")
        + (_byteFallback ? ", byte fallback" : "");

    public IReadOnlyList<double> Scores => _scores;

    public new static UnigramModel Read(JsonPart json)
    {
        var pieces = new List<string>();
        var scores = new List<double>();
        var distinct = new HashSet<string>(StringComparer.Ordinal);
        var vocabulary = json.Required("vocab");
        foreach (var item in vocabulary.Items())
        {
            if (item.Items().ToArray() is not [var piece, var score])
            {
                throw item.Error("is not a piece and its score");
            }

            pieces.Add(piece.AsText());
            scores.Add(score.AsNumber() is > Never and var number ? number : double.NegativeInfinity);
            if (pieces[^1].Length == 0 || !distinct.Add(pieces[^1]))
            {
                throw piece.Error(
                    pieces[^1].Length == 0 ? "is an empty piece" : $"the piece \"{pieces[^1]}\" stands twice in the vocabulary");
            }
        }

        var unk = json.Optional("unk_id");
        var unkId = unk?.AsCount();
        return unkId >= pieces.Count
            ? throw unk!.Error($"is {unkId}, but the vocabulary has {pieces.Count} pieces")
            : new UnigramModel(Vocabulary.Of(pieces), [.. scores], unkId, json.Flag("byte_fallback", false));
    }

    public override void Tokenize(ReadOnlySpan<byte> word, List<WordToken> tokens)
    {
        // By place in the word: the best way to get there.
        var isShort = word.Length < ShortWord;
        Span<double> best = isShort ? stackalloc double[ShortWord] : new double[word.Length + 1];
        Span<int> from = isShort ? stackalloc int[ShortWord] : new int[word.Length + 1];
        Span<int> ids = isShort ? stackalloc int[ShortWord] : new int[word.Length + 1];
        from[..(word.Length + 1)].Fill(-1);
        best[0] = 0;
        for (int at = 0, length; at < word.Length; at += length)
        {
            Rune.DecodeFromUtf8(word[at..], out _, out length);
            var hasCharacter = false;
            var node = ByteTrie.Root;
            for (var end = at; end < word.Length && (node = _trie.Step(node, word[end])) >= 0;)
            {
                end++;
                if (_trie.ValueAt(node) is >= 0 and var id && _scores[id] > double.NegativeInfinity)
                {
                    Take(best, from, ids, at, end, best[at] + _scores[id], id);
                    hasCharacter |= end == at + length;
                }
            }

            if (!hasCharacter)
            {
                Take(best, from, ids, at, at + length, best[at] + _unknownScore, -1);
            }
        }

        var first = tokens.Count;
        for (int end = word.Length, start; end > 0; end = start)
        {
            start = from[end];
            if (ids[end] < 0 || ids[end] == _unkId)
            {
                while (start > 0 && _unkId is not null && (ids[start] < 0 || ids[start] == _unkId))
                {
                    start = from[start];
                }

                AddUnknown(word[start..end], start, end, tokens);
            }
            else
            {
                tokens.Add(new WordToken(ids[end], start, end));
            }
        }

        tokens.Reverse(first, tokens.Count - first);

        static void Take(Span<double> best, Span<int> from, Span<int> ids, int start, int end, double score, int id)
        {
            if (from[end] < 0 || score > best[end])
            {
                (best[end], from[end], ids[end]) = (score, start, id);
            }
        }
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        if (_unkId is { } unk)
        {
            json.WriteNumber("unk_id", unk);
        }
        else
        {
            json.WriteNull("unk_id");
        }

        json.WriteStartArray("vocab");
        for (var id = 0; id < _scores.Length; id++)
        {
            json.WriteStartArray();
            json.WriteStringValue(Vocabulary[id]);
            json.WriteNumberValue(Math.Max(_scores[id], Never));
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteBoolean("byte_fallback", _byteFallback);
    }

    // In the order from right to left, as the others.
    private void AddUnknown(ReadOnlySpan<byte> text, int start, int end, List<WordToken> tokens)
    {
        if (Vocabulary.Find(text) is >= 0 and var id)
        {
            tokens.Add(new WordToken(id, start, end));
            return;
        }

        var hasBytes = _byteFallback;
        foreach (var b in text)
        {
            hasBytes &= _idOfByte[b] >= 0;
        }

        for (var i = text.Length - 1; i >= 0 && hasBytes; i--)
        {
            tokens.Add(new WordToken(_idOfByte[text[i]], start, end));
        }

        if (!hasBytes)
        {
            tokens.Add(new WordToken(_unkId ?? throw Unknown(text), start, end));
        }
    }
}
